"""Start potentials against their cluster, with potentials of JuKKR."""

from __future__ import annotations

import dataclasses
import gzip
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential
from aiida_mlkkr.kkr.start_check import is_magnetic, sanity_fault, shape_fault

DATA = Path(__file__).parents[1] / 'data'


def read(path: str) -> ImpurityPotential:
    with gzip.open(DATA / path, 'rt') as stream:
        return read_potential(stream, 2)


@pytest.fixture(scope='module')
def voronoi_start() -> ImpurityPotential:
    """Mn and a Cu neighbour."""
    return read('kkr/mn_cu_asa_start_2sites.gz')


def changed(potential: ImpurityPotential, site: int, **values: object) -> ImpurityPotential:
    sites = list(potential.sites)
    sites[site] = tuple(dataclasses.replace(atom, **values) for atom in sites[site])
    return ImpurityPotential(tuple(sites))


def test_potentials_of_jukkr_pass(voronoi_start):
    for potential in (voronoi_start, read('mn_pair/calc1/potential.gz'), read('kkr/mn_cu_fp_out_potential_2sites.gz')):
        z = [site[0].z for site in potential.sites]
        assert shape_fault(potential, z, 2) == ''
        assert sanity_fault(potential) == ''


@pytest.mark.parametrize(
    ('z', 'nspin', 'fault'),
    [
        ([25, 29, 29], 2, 'it has 2 sites, the cluster 3'),
        ([25, 29], 1, 'it has 2 spins, the calculation 1 (NSPIN)'),
        ([29, 29], 2, 'its site 1 is Mn, that of the cluster Cu'),
    ],
)
def test_another_cluster(voronoi_start, z, nspin, fault):
    assert shape_fault(voronoi_start, z, nspin) == fault


@pytest.mark.parametrize('shift', [-10.0, 3.0])
def test_a_potential_whose_bottom_is_elsewhere(voronoi_start, shift):
    fault = sanity_fault(changed(voronoi_start, 1, v=voronoi_start.sites[1][0].v + shift))
    assert 'boundary of its site 2' in fault


def test_the_spikes_of_the_voronoi_code_are_no_magnetism(voronoi_start):
    down, up = voronoi_start.sites[0]
    assert np.abs(down.v - up.v).max() > 5.0
    assert not is_magnetic(voronoi_start)


@pytest.mark.parametrize('path', ['mn_pair/calc1/potential.gz', 'kkr/mn_cu_fp_out_potential_2sites.gz'])
def test_converged_manganese_is_magnetic(path):
    assert is_magnetic(read(path))


def test_one_magnetic_site_is_enough(voronoi_start):
    down, up = voronoi_start.sites[1]
    split = (dataclasses.replace(down, v=down.v + 0.01), up)
    assert is_magnetic(ImpurityPotential((voronoi_start.sites[0], split)))


def test_one_spin_is_never_magnetic(voronoi_start):
    assert not is_magnetic(ImpurityPotential(tuple(site[:1] for site in voronoi_start.sites)))
