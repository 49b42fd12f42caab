"""The calculation function for start potentials."""

from __future__ import annotations

import gzip
from io import StringIO
from pathlib import Path

import pytest

PAIR = Path(__file__).parents[1] / 'data' / 'mn_pair'


@pytest.fixture
def host_writeout(aiida_profile):
    """The retrieved files of a real write-out for two neighbouring sites of copper."""
    from aiida import orm

    folder = orm.FolderData()
    for path in (PAIR / 'gf').iterdir():
        content = path.read_bytes()
        folder.base.repository.put_object_from_bytes(
            gzip.decompress(content) if path.suffix == '.gz' else content, path.name.removesuffix('.gz')
        )
    return folder.store()


def _start(host_writeout, info, moments=None):
    from aiida import orm

    from aiida_mlkkr.calculations.start import standard_start_potential

    arguments = {} if moments is None else {'moments': orm.List(moments)}
    return standard_start_potential.run_get_node(host_writeout, orm.Dict(info), **arguments)


def test_two_impurities_with_moments(host_writeout):
    from aiida_mlkkr.kkr.potential import read_potential

    info = {'Zimp': [25, 26], 'Rimp_rel': [[0, 0, 0], [0.70710678, 0.70710678, 0.0]]}
    potential, node = _start(host_writeout, info, [4.0, -3.0])
    assert node.is_finished_ok
    start = read_potential(StringIO(potential.get_content()))
    assert [site[0].z for site in start.sites] == [25, 26]
    # a moment up lowers the potential of spin up (the second) where the d electrons are
    splitting = [(site[1].v - site[0].v)[250] for site in start.sites]
    assert splitting[0] < 0 < splitting[1]


@pytest.mark.parametrize(
    ('info', 'status', 'words'),
    [
        ({'Zimp': 140}, 211, '140'),
        ({'Zimp': 25, 'Rimp_rel': [[0.2, 0.0, 0.0]]}, 211, 'not on a site'),
        ({}, 211, 'impurity_info has no Zimp'),
    ],
)
def test_refused(host_writeout, info, status, words):
    _, node = _start(host_writeout, info)
    assert node.exit_status == status
    assert words in node.exit_message


def test_more_moments_than_impurities(host_writeout):
    _, node = _start(host_writeout, {'Zimp': 25}, [4.0, 3.0])
    assert node.exit_status == 211
    assert '2 start moments for 1 impurities' in node.exit_message


@pytest.mark.parametrize('moment', ['up', None])
def test_moments_that_are_no_numbers(host_writeout, moment):
    _, node = _start(host_writeout, {'Zimp': [25]}, [moment])
    assert node.exit_status == 211
    assert 'are not all numbers' in node.exit_message


def test_green_function_left_on_the_computer(host_writeout):
    """The bottom of the contour then comes from the input of the host calculation; it is that of the Green function."""
    from aiida import orm

    rest = orm.FolderData()
    for name in host_writeout.base.repository.list_object_names():
        if name not in ('kkrflex_green', 'kkrflex_tmat'):
            content = host_writeout.base.repository.get_object_content(name, mode='rb')
            rest.base.repository.put_object_from_bytes(content, name)
    info = {'Zimp': [25, 26], 'Rimp_rel': [[0, 0, 0], [0.70710678, 0.70710678, 0.0]]}
    potential, _ = _start(rest.store(), info)
    expected, _ = _start(host_writeout, info)
    assert potential.get_content() == expected.get_content()


def test_no_write_out(aiida_profile):
    from aiida import orm

    _, node = _start(orm.FolderData().store(), {'Zimp': 25})
    assert node.exit_status == 210
    assert 'lacks scoef, out_potential, inputcard' in node.exit_message
