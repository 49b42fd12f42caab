import dataclasses
import gzip
import io
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.kkr.potential import (
    AtomicPotential,
    CoreState,
    ImpurityPotential,
    NonSphericalPotential,
    read_potential,
    write_potential,
)

DATA = Path(__file__).parents[1] / 'data'
PAIR = DATA / 'mn_pair'
REAL_FILES = [
    PAIR / 'calc0' / 'potential.gz',
    PAIR / 'calc1' / 'out' / 'out_potential.gz',
    PAIR / 'gf' / 'out_potential.gz',
    DATA / 'kkr' / 'mn_cu_asa_start_2sites.gz',
    DATA / 'kkr' / 'cu_fp_host_out_potential.gz',
    DATA / 'kkr' / 'mn_cu_fp_start_2sites.gz',
    DATA / 'kkr' / 'mn_cu_fp_out_potential_2sites.gz',
]


def text_of(path):
    return gzip.decompress(path.read_bytes()).decode()


def written(potential, style='kkrimp'):
    stream = io.StringIO()
    write_potential(potential, stream, style)
    return stream.getvalue()


def parsed(text, nspin=None):
    return read_potential(io.StringIO(text), nspin)


@pytest.fixture
def pair_text():
    return text_of(PAIR / 'calc1' / 'out' / 'out_potential.gz')


@pytest.mark.parametrize('path', REAL_FILES, ids=lambda path: path.relative_to(DATA).as_posix())
def test_real_files_come_back_byte_for_byte(path):
    text = text_of(path)
    assert written(parsed(text), style=None) == text


@pytest.mark.parametrize('path', REAL_FILES, ids=lambda path: path.relative_to(DATA).as_posix())
def test_real_files_in_kkrimps_formats_keep_their_values(path):
    before = parsed(text_of(path))
    after = parsed(written(before))
    for old_site, new_site in zip(before.sites, after.sites, strict=True):
        for old, new in zip(old_site, new_site, strict=True):
            np.testing.assert_array_equal(new.v, old.v)
            assert (new.title, new.core, new.mesh) == (old.title, old.core, old.mesh)
            assert (new.rmt, new.alat, new.rmtnew, new.z, new.rws) == (old.rmt, old.alat, old.rmtnew, old.z, old.rws)
            # KKRimp writes ten digits of these two, and no code reads them
            assert (new.efermi, new.vbc) == pytest.approx((old.efermi, old.vbc), abs=5.1e-11)
            assert (new.nonspherical is None) == (old.nonspherical is None)
            if old.nonspherical is not None:
                assert new.nonspherical.components.keys() == old.nonspherical.components.keys()


def test_content_of_the_mn_pair(tmp_path, pair_text):
    path = tmp_path / 'out_potential'
    path.write_text(pair_text)
    potential = read_potential(path)
    assert (potential.natom, potential.nspin, potential.is_full_potential) == (2, 2, False)
    down, up = potential.sites[1]
    assert down.title.startswith('Mn25 POTENTIAL SPIN DOWN')
    assert up.title.startswith('Mn25 POTENTIAL SPIN UP')
    assert (down.z, down.mesh.n, down.style) == (25.0, 349, 'kkrimp')
    assert down.alat == 4.8238197478830003
    assert down.mesh.rmax == pytest.approx(down.rws, abs=1e-5)
    assert [state.l for state in down.core] == [0, 0, 0, 1, 1]
    # the spins of a magnetic atom feel different potentials: attractive exchange for the majority
    weight = down.mesh.r**2 * down.mesh.drdi
    assert (weight * (up.v - down.v)).sum() < 0
    # screened nucleus: the full potential -2Z/r + v is close to zero at the sphere
    assert abs(down.v[-1] - 2 * down.z / down.mesh.rmax) < 2.0


def test_content_of_a_full_potential():
    potential = parsed(text_of(DATA / 'kkr' / 'cu_fp_host_out_potential.gz'))
    atom = potential.sites[0][0]
    assert potential.is_full_potential
    assert (atom.mesh.n, atom.nonspherical.npoints, atom.nonspherical.lmpot) == (484, 199, 25)
    # cubic symmetry: only l = 0 and the two components of the cubic l = 4 harmonic, in the fixed ratio sqrt(5/7)
    assert sorted(atom.nonspherical.components) == [21, 25]
    v4, v4_fourfold = atom.nonspherical.components[21], atom.nonspherical.components[25]
    # up to 0.1 Ry with 14 digits
    np.testing.assert_allclose(v4_fourfold, np.sqrt(5 / 7) * v4, atol=1e-13)


@pytest.mark.parametrize('style', ['kkrimp', 'kkrhost', 'voronoi', None])
@pytest.mark.parametrize(
    ('nspin', 'sizes', 'lmpot'), [(1, [2], 1), (2, [349, 5], 1), (2, [4, 130], 9), (1, [1201], 25)]
)
def test_random_potentials_survive(style, nspin, sizes, lmpot):
    rng = np.random.default_rng([nspin, lmpot, *sizes])
    sites = []
    for size in sizes:
        spins = []
        for spin in ('DOWN', 'UP')[:nspin]:
            outer = size // 2
            components = {
                lm: np.round(rng.normal(size=outer + 1), 12)
                for lm in range(2, lmpot + 1)
                if rng.random() < 0.5 or lmpot == 9
            }
            rest = NonSphericalPotential(outer, lmpot, MappingProxyType(components)) if lmpot > 1 else None
            v = -rng.random(size) * 10.0 ** rng.integers(-3, 4, size)
            spins.append(
                AtomicPotential(
                    title=f'Xx00 POTENTIAL SPIN {spin}' if nspin == 2 else 'Xx00 POTENTIAL',
                    rmt=2.25,
                    alat=4.5,
                    rmtnew=2.125,
                    z=float(size % 90),
                    rws=2.5,
                    efermi=-0.5,
                    vbc=0.0625,
                    mesh=RadialMesh(0.025, 0.00044419, size),
                    core=tuple(CoreState(i % 4, -(10.0**i)) for i in range(size % 21)),
                    v=v,
                    nonspherical=rest,
                )
            )
        sites.append(tuple(spins))
    potential = ImpurityPotential(tuple(sites))
    text = written(potential, style)
    again = parsed(text)
    assert again.nspin == nspin
    assert written(again, style) == text
    for old_site, new_site in zip(potential.sites, again.sites, strict=True):
        for old, new in zip(old_site, new_site, strict=True):
            # 13 or 14 significant digits in the file
            np.testing.assert_allclose(new.v, old.v, rtol=5.1e-13)
            assert new.core == old.core
            assert dataclasses.replace(new, v=old.v, style='kkrimp', nonspherical=None).mesh == old.mesh
            if old.nonspherical is not None:
                for lm, values in old.nonspherical.components.items():
                    np.testing.assert_allclose(new.nonspherical.components[lm], values, rtol=5.1e-14)


def test_spins_are_told_by_the_titles_or_by_the_caller(pair_text):
    assert parsed(pair_text, nspin=1).natom == 4
    blocks = pair_text.replace('SPIN DOWN', '         ').replace('SPIN UP', '       ')
    assert parsed(blocks).nspin == 1
    assert parsed(blocks, nspin=2).natom == 2


@pytest.mark.parametrize('fraction', [0.0, 0.001, 0.003, 0.01, 0.2, 0.49, 0.51, 0.75, 0.9, 0.9999])
def test_a_truncated_file_is_noticed_wherever_it_ends(pair_text, fraction):
    cut = pair_text[: int(fraction * len(pair_text))]
    with pytest.raises(KkrFileError, match='potential'):
        parsed(cut)


@pytest.mark.parametrize('missing', [2, 3, 4, 5, 12])
def test_a_last_number_cut_short_is_noticed(pair_text, missing):
    with pytest.raises(KkrFileError, match='site 2, spin 2, line 400: '):
        parsed(pair_text[:-missing])
    assert parsed(pair_text[:-1]).natom == 2


def test_a_file_that_lost_its_last_spin_is_noticed(pair_text):
    start = pair_text.index('Mn25 POTENTIAL SPIN UP', len(pair_text) // 2)
    with pytest.raises(KkrFileError, match='block is missing'):
        parsed(pair_text[:start])
    with pytest.raises(KkrFileError, match='3 blocks cannot be shared out over 2 spins'):
        parsed(pair_text[:start], nspin=2)


def test_a_truncated_full_potential_is_noticed():
    text = text_of(DATA / 'kkr' / 'mn_cu_fp_out_potential_2sites.gz')
    for cut in range(100, len(text) - 10, len(text) // 37):
        with pytest.raises(KkrFileError):
            parsed(text[:cut])


@pytest.mark.parametrize(
    ('line', 'text', 'message'),
    [
        (1, 'Mn25 something else', 'line 1: a title line with POTENTIAL'),
        (2, '   2.4  ***  2.4', 'line 2: muffin-tin radius'),
        (2, '   2.4  0.0  2.4', 'lattice constant 0.0 is not positive'),
        (3, '  -1.00000', 'nuclear charge -1.0'),
        (4, '   2.66598   NaN   0.7348364484', 'line 4: .*not finite'),
        (5, '***', 'line 5: the number of radial points expected'),
        (5, '1', '1 radial points'),
        (6, ' 0.25000000D-01-0.44418808D-03', 'line 6'),
        (6, ' 0.25000000D-01 0.00000000D+00', 'line 6: a radial mesh needs'),
        (7, '25 1', '25 core states'),
        (7, ' 5 0', 'format flag is 0'),
        (8, '    7  -4.70228082514D+02', 'l = 7'),
        (8, '       -4.70228082514D+02', 'line 8: a core state'),
        (14, '  1.8D+02  1.8D+02  1.8D+02', 'line 14: the potential: 4 numbers expected'),
        (40, '       Infinity  1.0D+00  1.0D+00  1.0D+00', 'line 40: the potential: a number that is not finite'),
        (40, '********************  1.0D+00  1.0D+00  1.0D+00', 'line 40: the potential: 4 numbers expected'),
        (99, '  1.8D+02', 'line 99'),
    ],
)
def test_damage_is_named_with_its_line(tmp_path, pair_text, line, text, message):
    lines = pair_text.splitlines()
    lines[line - 1] = text
    path = tmp_path / 'damaged'
    path.write_text('\n'.join(lines) + '\n')
    with pytest.raises(KkrFileError, match=message) as error:
        read_potential(path)
    assert str(error.value).startswith(f'{path}: site 1, spin 1, ')


def test_damage_in_a_later_block_names_site_and_spin(pair_text):
    lines = pair_text.splitlines()
    last_title = max(i for i, line in enumerate(lines) if 'POTENTIAL' in line)
    lines[last_title + 20] = lines[last_title + 20][:60] + '                 NaN'
    with pytest.raises(KkrFileError, match=f'site 2, spin 2, line {last_title + 21}: the potential: a number that'):
        parsed('\n'.join(lines))


def test_foreign_files(tmp_path):
    for content in (b'', b'\n\n', b'RUNFLAG=\nTESTFLAG=\n', bytes(range(256))):
        path = tmp_path / 'foreign'
        path.write_bytes(content)
        with pytest.raises(KkrFileError, match='foreign: '):
            read_potential(path)


def test_spins_of_one_site_have_to_belong_together(pair_text):
    text = pair_text.replace('  25.00000', '  24.00000', 1)
    with pytest.raises(KkrFileError, match='site 1: the two spins differ'):
        parsed(text)


def test_sizes_of_a_full_potential_have_to_fit():
    text = text_of(DATA / 'kkr' / 'cu_fp_host_out_potential.gz')
    for wrong, message in (
        ('  484  484   25    1', 'do not fit a mesh of 484 points'),
        ('  483  199   25    1', 'do not fit a mesh of 484 points'),
        ('  484  199   25    0', 'only files with flag 1'),
    ):
        with pytest.raises(KkrFileError, match=message):
            parsed(text.replace('  484  199   25    1', wrong, 1))
    with pytest.raises(KkrFileError, match='lm = 26 is out of order or beyond lm = 25'):
        parsed(text.replace('\n   21\n', '\n   26\n', 1))


def test_kinds_of_potential_are_not_mixed():
    full = parsed(text_of(DATA / 'kkr' / 'cu_fp_host_out_potential.gz'))
    spheres = parsed(text_of(PAIR / 'gf' / 'out_potential.gz'))
    with pytest.raises(ValueError, match='some blocks are full potential'):
        ImpurityPotential(full.sites + spheres.sites)
    with pytest.raises(KkrFileError, match='some blocks are full potential'):
        parsed(written(full) + written(spheres))


def test_nothing_that_is_not_finite_is_written(tmp_path, pair_text):
    potential = parsed(pair_text)
    down, up = potential.sites[0]
    v = up.v.copy()
    v[7] = np.nan
    broken = ImpurityPotential(((down, dataclasses.replace(up, v=v)), potential.sites[1]))
    path = tmp_path / 'out_potential'
    with pytest.raises(KkrFileError, match='site 1, spin 2: a number to be written is not finite'):
        write_potential(broken, path)
    assert not path.exists()


def test_shapes_are_checked(pair_text):
    atom = parsed(pair_text).sites[0][0]
    with pytest.raises(ValueError, match='on a mesh of 349 points'):
        dataclasses.replace(atom, v=atom.v[:-1])
    with pytest.raises(ValueError, match='at least one site'):
        ImpurityPotential(())
    with pytest.raises(ValueError, match='equally many'):
        ImpurityPotential(((atom, atom), (atom,)))
    with pytest.raises(ValueError, match='has shape'):
        NonSphericalPotential(10, 9, {2: np.zeros(10)})
    with pytest.raises(ValueError, match='component lm = 10'):
        NonSphericalPotential(9, 9, {10: np.zeros(10)})
    with pytest.raises(ValueError, match='nspin is 1 or 2'):
        parsed(pair_text, nspin=3)
