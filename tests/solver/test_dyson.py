"""Dyson equations: against direct solutions, and the host from its own void."""

import gzip
from itertools import chain, combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr.kkrflex import HostGreen, TMatrix, read_green, read_tmat
from aiida_mlkkr.solver import dyson
from aiida_mlkkr.solver.angular import l_of_lm, real_harmonics
from aiida_mlkkr.solver.bessel import spherical_bessel
from aiida_mlkkr.solver.dyson import VoidGreenFunction, free_green_function, group_borders, void_green_function

# Random matrices of some 30 rows: rounding of 2e-16 times their condition, some hundred.
ROUNDING = 1e-11


def random_symmetric(size: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    matrix = 0.3 * (rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))) / np.sqrt(size)
    return matrix + matrix.T


def random_t(size: int, seed: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=size) + 1j * rng.normal(size=size)


def direct_blocks(void: np.ndarray, t: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    """On-site blocks of (1 − G t)⁻¹ G, t diagonal or full."""
    full = np.linalg.solve(np.eye(len(void)) - void @ (np.diag(t) if t.ndim == 1 else t), void)
    return [full[i:j, i:j] for i, j in pairwise(offsets)]


def split(void: np.ndarray, *borders: int) -> VoidGreenFunction:
    """G_void of a single energy, cut at ``borders`` into groups."""
    groups = VoidGreenFunction.empty(1, (0, *borders, len(void)))
    groups.set_energy(0, void)
    return groups


def onsite_blocks(void: VoidGreenFunction, t: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    """On-site blocks of a single energy."""
    return [block[0] for block in dyson.onsite_blocks(void, t[None], offsets)]


@pytest.fixture(scope='module')
def host(tmp_path_factory: pytest.TempPathFactory, pair_source: Path) -> tuple[HostGreen, TMatrix]:
    folder = tmp_path_factory.mktemp('host')
    (folder / 'kkrflex_tmat').write_bytes(gzip.decompress((pair_source / 'gf' / 'kkrflex_tmat.gz').read_bytes()))
    return read_green(pair_source / 'gf' / 'kkrflex_green'), read_tmat(folder / 'kkrflex_tmat')


@pytest.mark.parametrize('lmax', [[2], [0, 0], [2, 2], [2, 1, 3], [1, 0, 2, 1], [1] * 5])
def test_groups_give_the_direct_solution(lmax: list[int]) -> None:
    offsets = np.concatenate([[0], np.cumsum([(l + 1) ** 2 for l in lmax])])
    void, t = random_symmetric(offsets[-1]), random_t(offsets[-1])
    expected = direct_blocks(void, t, offsets)
    inner = offsets[1:-1].tolist()
    for borders in chain.from_iterable(combinations(inner, number) for number in range(len(inner) + 1)):
        blocks = onsite_blocks(split(void, *borders), t, offsets)
        assert [block.shape for block in blocks] == [((l + 1) ** 2,) * 2 for l in lmax]
        for block, reference in zip(blocks, expected, strict=True):
            np.testing.assert_allclose(block, reference, atol=ROUNDING)


@pytest.mark.parametrize('lmax', [[2], [3] * 3, [2] * 13, [3, 2, 2, 1] * 4, [2] * 60])
def test_groups_leave_sites_whole(lmax: list[int]) -> None:
    offsets = np.concatenate([[0], np.cumsum([(l + 1) ** 2 for l in lmax])])
    borders = group_borders(offsets)
    assert (borders[0], borders[-1]) == (0, offsets[-1])
    assert set(borders) <= set(offsets.tolist())
    assert 1 <= len(borders) - 1 <= dyson.MOST_GROUPS
    assert max(np.diff(borders)) <= max(dyson.SMALLEST_GROUP, offsets[-1] / dyson.MOST_GROUPS) + 16


def test_energies_are_independent(monkeypatch: pytest.MonkeyPatch) -> None:
    offsets, energies = np.array([0, 4, 8]), 7
    groups = VoidGreenFunction.empty(energies, (0, 4, 8))
    voids = np.stack([random_symmetric(8, seed) for seed in range(energies)])
    t = np.stack([random_t(8, seed) for seed in range(energies)])
    for energy, void in enumerate(voids):
        groups.set_energy(energy, void)
    np.testing.assert_array_equal(groups.whole(), voids)
    np.testing.assert_array_equal(groups.energies(slice(1, 3)).whole(), voids[1:3])
    # all at once, and three at a time
    for elements in (10_000, 3 * 64):
        monkeypatch.setattr(dyson, 'ELEMENTS_AT_ONCE', elements)
        blocks = dyson.onsite_blocks(groups, t, offsets)
        for energy, void in enumerate(voids):
            for block, reference in zip(blocks, direct_blocks(void, t[energy], offsets), strict=True):
                np.testing.assert_allclose(block[energy], reference, atol=ROUNDING)


def test_free_green_function_translates_spherical_waves() -> None:
    # −exp(iκd)/(4πd), d = |R + r − r'|, is Σ_LL' j_l(κr) Y_L(r) g_LL'(R) j_l'(κr') Y_L'(r')
    lmax, kappa, vector = 6, 0.4 + 0.5j, np.array([2.0, -3.0, 1.5])
    green = free_green_function(vector, kappa, lmax)

    def wave(at: np.ndarray) -> np.ndarray:
        return spherical_bessel(kappa * np.linalg.norm(at), lmax)[l_of_lm(lmax)] * real_harmonics(at, lmax)

    for r, r_prime in 0.1 * np.random.default_rng(3).normal(size=(4, 2, 3)):
        distance = np.linalg.norm(vector + r - r_prime)
        exact = -np.exp(1j * kappa * distance) / (4 * np.pi * distance)
        # both expansions end with l = 6: (r/R)⁷ with r/R < 0.1
        assert wave(r) @ green @ wave(r_prime) == pytest.approx(exact, rel=1e-7)
    np.testing.assert_allclose(free_green_function(-vector, kappa, lmax), green.T, atol=1e-12 * np.abs(green).max())


def test_single_site_against_the_scalar_equation() -> None:
    g, t = 0.4 - 0.7j, -0.3 + 0.2j
    block = onsite_blocks(split(np.array([[g]])), np.array([t]), np.array([0, 1]))[0]
    assert block[0, 0] == pytest.approx(g / (1 - g * t), rel=1e-14)


def test_two_coupled_sites_against_multiple_scattering() -> None:
    # s waves on two sites: G_11 = (g + c² t2 / (1 − g t2)) / (1 − t1 (g + c² t2 / (1 − g t2)))
    g, c, t1, t2 = 0.1 - 0.4j, 0.3 + 0.2j, 0.5 - 0.1j, -0.2 + 0.6j
    void = np.array([[g, c], [c, g]])
    path = g + c * c * t2 / (1 - g * t2)
    blocks = onsite_blocks(split(void, 1), np.array([t1, t2]), np.array([0, 1, 2]))
    assert blocks[0][0, 0] == pytest.approx(path / (1 - t1 * path), rel=1e-13)


def test_without_scatterers_the_void_stays() -> None:
    offsets = np.array([0, 9, 18])
    void = random_symmetric(18)
    for block, begin in zip(onsite_blocks(split(void, 9), np.zeros(18), offsets), (0, 9), strict=True):
        np.testing.assert_array_equal(block, void[begin : begin + 9, begin : begin + 9])


def test_void_of_a_void_is_itself() -> None:
    void = random_symmetric(18)
    np.testing.assert_allclose(void_green_function(void, np.zeros((2, 9, 9)), np.arange(18)), void, atol=ROUNDING)


def test_removing_and_putting_back_gives_the_host() -> None:
    # full t matrices, as a host with a non-spherical potential has them
    sites, lm = 3, 4
    host = random_symmetric(sites * lm)
    t = np.stack([random_symmetric(lm, seed) for seed in range(sites)])
    void = void_green_function(host, t, np.arange(sites * lm))
    block_diagonal = np.zeros((sites * lm, sites * lm), dtype=complex)
    for site in range(sites):
        block_diagonal[site * lm : (site + 1) * lm, site * lm : (site + 1) * lm] = t[site]
    back = np.linalg.solve(np.eye(sites * lm) - void @ block_diagonal, void)
    np.testing.assert_allclose(back, host, atol=ROUNDING)


def test_removed_sites_leave_an_empty_place() -> None:
    # the site that the cluster does not keep is gone from the void and does not come back
    sites, lm = 3, 4
    host, t = random_symmetric(sites * lm), np.stack([np.diag(random_t(lm, seed)) for seed in range(sites)])
    kept = np.concatenate([np.arange(lm), np.arange(2 * lm, 3 * lm)])
    void = void_green_function(host, t, kept)
    whole = void_green_function(host, t, np.arange(sites * lm))
    np.testing.assert_allclose(void, whole[np.ix_(kept, kept)], atol=ROUNDING)
    t_kept = np.concatenate([np.diag(t[0]), np.diag(t[2])])
    blocks = onsite_blocks(split(void, lm), t_kept, np.array([0, lm, 2 * lm]))
    # the same with an empty site (t = 0) in its place
    offsets = np.arange(sites + 1) * lm
    with_empty = onsite_blocks(split(whole, lm), np.concatenate([np.diag(t[0]), np.zeros(lm), np.diag(t[2])]), offsets)
    np.testing.assert_allclose(blocks[0], with_empty[0], atol=ROUNDING)
    np.testing.assert_allclose(blocks[1], with_empty[2], atol=ROUNDING)


def test_void_is_symmetric_though_the_file_is_not_quite() -> None:
    host = random_symmetric(18).astype(np.complex64).astype(np.complex128)
    host[0, 5] += 1e-7
    t = np.stack([np.diag(random_t(9, seed)) for seed in (1, 2)])
    void = void_green_function(host, t, np.arange(18))
    np.testing.assert_array_equal(void, void.T)
    assert np.abs(void - void_green_function(random_symmetric(18), t, np.arange(18))).max() < 1e-5


def test_copper_atoms_put_back_give_the_host(host: tuple[HostGreen, TMatrix]) -> None:
    green, t_host = host
    offsets = np.array([0, 9, 18])
    for spin in range(green.nspin):
        for energy in range(green.energies.size):
            g = np.asarray(green.values[spin, energy], dtype=np.complex128)
            t = t_host.values[:, spin, energy]
            diagonal = np.concatenate([np.diag(t[0]), np.diag(t[1])])
            np.testing.assert_array_equal(t, [np.diag(np.diag(matrix)) for matrix in t])
            blocks = onsite_blocks(split(void_green_function(g, t, np.arange(18)), 9), diagonal, offsets)
            for block, begin in zip(blocks, (0, 9), strict=True):
                # the file is in single precision, so symmetric to 6e-8 only
                np.testing.assert_allclose(block, g[begin : begin + 9, begin : begin + 9], atol=1e-6 * np.abs(g).max())


def test_sites_of_the_host_are_equivalent(host: tuple[HostGreen, TMatrix]) -> None:
    # both sites of the pair are the same Cu atom: equal on-site blocks, eg and t2g split, no magnetism
    green, _ = host
    for energy in range(green.energies.size):
        g = np.asarray(green.values[0, energy], dtype=np.complex128)
        scale = 2e-7 * np.abs(g).max()  # single precision
        np.testing.assert_allclose(g[:9, :9], g[9:, 9:], atol=scale)
        diagonal = np.diag(g[:9, :9])
        np.testing.assert_allclose(g[:9, :9], np.diag(diagonal), atol=scale)
        np.testing.assert_allclose(diagonal[1:4], diagonal[1], atol=scale)
        np.testing.assert_allclose(diagonal[[4, 5, 7]], diagonal[4], atol=scale)
        np.testing.assert_allclose(diagonal[6], diagonal[8], atol=scale)
        np.testing.assert_allclose(green.values[1, energy], green.values[0, energy], atol=scale)
