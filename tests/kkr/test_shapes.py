import dataclasses
import io
from math import pi

import full_potential as cu
import numpy as np
import pytest

from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.kkr.potential import read_potential, write_potential
from aiida_mlkkr.kkr.shapes import cell_mesh, read_shapes, values_of, with_shapes, with_values


@pytest.fixture(scope='module')
def shape():
    return read_shapes(cu.text('shapefun'))[0]


@pytest.fixture(scope='module')
def host():
    return read_potential(io.StringIO(cu.text('host_out_potential')))


@pytest.fixture(scope='module')
def mesh(host, shape):
    return cell_mesh(host.sites[0][0], shape)


def trapezoid(mesh, f):
    """∫ f dr panel by panel."""
    ends = np.cumsum(mesh.panels)
    bounds = zip([0, *ends[:-1]], ends, strict=True)
    return sum(np.trapezoid((f * mesh.drdi)[begin:end]) for begin, end in bounds)


def test_shape_function_of_an_fcc_cell(shape):
    assert shape.panels == (10, 47, 24, 54)
    # cubic harmonics only: l = 4, 6, 8 with m = 0, 4, 8
    assert sorted(shape.theta) == [1, 21, 25, 43, 47, 73, 77, 81]
    assert shape.r[0] == pytest.approx(0.495)
    assert shape.r[-1] == pytest.approx(np.sqrt(0.5), abs=1e-9)  # the corner, half of the cubic lattice constant


def test_several_shapes_with_one_line_of_factors_as_kkrimp_has_it(shape):
    _, factor, one = cu.text('shapefun').split('\n', 2)
    shapes = read_shapes('\n'.join(['    2', factor, one.rstrip('\n'), one]))
    assert len(shapes) == 2
    np.testing.assert_array_equal(shapes[1].theta[25], shape.theta[25])


def test_mesh_goes_on_where_the_formula_ends(mesh, host):
    block = host.sites[0][0]
    inner = mesh.muffin_tin
    assert (mesh.n, inner.n, mesh.channels, mesh.outermost, mesh.size) == (484, 349, 25, 200, 484 + 24 * 200)
    assert inner.rmax == pytest.approx(block.rmtnew, abs=1e-8)
    assert mesh.r[349] == pytest.approx(block.rmtnew, abs=1e-8)  # panels share their ends
    assert mesh.rmax == pytest.approx(block.rws, abs=1e-4)
    assert (np.diff(mesh.r) >= 0.0).all()


def test_volume_of_the_cell(mesh, host):
    volume = 4 * pi * trapezoid(mesh, mesh.r**2 * mesh.inside)
    # a third of 1e-3 is the error of the trapezoidal rule on the exponential mesh
    assert volume == pytest.approx(host.sites[0][0].alat ** 3 / np.sqrt(2), rel=5e-4)


def test_a_function_cut_off_at_the_cell_keeps_its_norm_but_for_high_l(mesh):
    cut = cu.components(mesh, mesh.of_cell(np.ones(mesh.n)))
    squares = 4 * pi * cut[0] ** 2 + np.sum(cut[1:] ** 2, axis=0)
    inside = trapezoid(mesh, mesh.r**2 * squares)
    volume = 4 * pi * trapezoid(mesh, mesh.r**2 * mesh.inside)
    # Θ² = Θ: what is missing has l > 4
    assert 0.9 < inside / volume < 1.0


def test_host_potential_vanishes_beyond_the_cell_like_theta(mesh, host):
    block = host.sites[0][0]
    whole = block.v[-40:] - 2.0 * block.z / mesh.r[-40:]
    assert np.abs(whole / mesh.inside[-40:].clip(1e-4)).max() < 3.0
    assert abs(whole[-1]) < 1e-6


def test_values_and_back(host, shape):
    potential = with_shapes(host, [shape], [1])
    block = potential.sites[0][0]
    again = with_values(block, values_of(block, block.mesh))
    assert again.nonspherical.components.keys() == block.nonspherical.components.keys() == {21, 25}
    texts = []
    for one in (host, dataclasses.replace(potential, sites=((again, potential.sites[0][1]),))):
        stream = io.StringIO()
        write_potential(one, stream)
        texts.append(stream.getvalue())
    assert texts[0] == texts[1]


def test_meshes_of_other_shapes_are_other_meshes(mesh):
    same = dataclasses.replace(mesh, theta=mesh.theta.copy())
    assert same == mesh
    assert not mesh.difference(same)
    other = dataclasses.replace(mesh, theta=0.9 * mesh.theta)
    assert other != mesh
    assert mesh.difference(other) == 'the shape functions differ'
    assert 'components lm' in mesh.difference(RadialMesh(mesh.a, mesh.b, mesh.n))


@pytest.mark.parametrize(
    'damaged',
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('D+00', 'D+0x', 40),
        lambda text: text.replace('   10   47   24   54', '   10   47   24   50'),
        lambda text: '',
        lambda text: 'POTENTIAL\n' + text,
        lambda text: '1\n    0    0\n    1\n    1\n',
        lambda text: text.replace('   10   47   24   54', '   10   47   88  -10'),
    ],
)
def test_damaged_files(damaged):
    with pytest.raises(KkrFileError, match='shapes is truncated, or no file of shape functions'):
        read_shapes(damaged(cu.text('shapefun')), 'shapes')


def test_shapes_that_belong_to_another_potential(host, shape):
    other = dataclasses.replace(shape, r=1.01 * shape.r)
    with pytest.raises(KkrFileError, match=r'the shape function begins at 2\.4145'):
        cell_mesh(host.sites[0][0], other)
    with pytest.raises(KkrFileError, match=r'shapes \[2\] of 1 sites, but there are 1'):
        with_shapes(host, [shape], [2])
