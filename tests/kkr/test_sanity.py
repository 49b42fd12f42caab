"""The sanity check: it accepts every real converged cluster with room to spare, and names what is wrong with others."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr import sanity
from aiida_mlkkr.kkr.elements import SYMBOLS, block, noble_gas_core, open_shell_electrons, shells, symbol
from aiida_mlkkr.kkr.potential import CoreState
from aiida_mlkkr.kkr.run import read_run
from aiida_mlkkr.kkr.sanity import ClusterResult, HostReference, check_result, hund_limit

FACTS = json.loads((Path(__file__).parents[1] / 'data' / 'archived_impurities.json').read_text())['results']


def result_of(fact):
    """A real result; the neighbours of a single impurity are kept once."""

    def array(key):
        values = np.array(fact[key])
        return np.concatenate([values[:-1], np.repeat(values[-1:], fact['repeat'], axis=0)])

    core = [tuple(tuple(CoreState(l, e) for l, e in spin) for spin in site) for site in fact['core']]
    keys = ('z', 'charge', 'core_charge', 'spin_moment', 'l_charge', 'edge')
    scalars = ('total_energy', 'error', 'contour_bottom', 'efermi')
    return ClusterResult(
        **{key: array(key) for key in keys},
        **{key: fact[key] for key in scalars},
        core=tuple(core[:-1] + core[-1:] * fact['repeat']),
        host=HostReference(array('host_z'), array('host_charge')),
    )


def name_of(fact):
    return f'{fact["group"]}: {fact["label"]}, {fact["calculation"]}'


def s_level_is_lost(fact):
    """Se and Te in Cu: JuKKR's solutions have their s level below the bottom of the contour."""
    return fact['group'] == 'cu_fcc_asa_impurities_dev' and fact['z'][0] in (34.0, 52.0)


SANE = [fact for fact in FACTS if not s_level_is_lost(fact)]


def names(result):
    return {problem.name for problem in check_result(result)}


@pytest.fixture(scope='module')
def mn_in_cu():
    return next(
        result_of(fact)
        for fact in FACTS
        if fact['group'] == 'cu_fcc_asa_impurities_dev' and 'Z=25' in fact['label'] and fact['calculation'] == 1
    )


def test_all_archived_impurities_are_here():
    final = [fact for fact in FACTS if fact['calculation'] == 1]
    assert sum(fact['group'] == 'cu_fcc_asa_impurities_dev' for fact in final) == 26
    assert sum(fact['group'] == 'ag_fcc_asa_impurities' for fact in final) == 24
    assert len(FACTS) == 124


@pytest.mark.parametrize('fact', SANE, ids=name_of)
def test_every_converged_cluster_is_accepted(fact):
    result = result_of(fact)
    assert check_result(result) == ()
    assert check_result(replace(result, host=None)) == ()
    assert check_result(ClusterResult(z=result.z, charge=result.charge)) == ()


def test_limits_leave_room():
    """The largest real deviations are at most two thirds of the limits; the numbers are those of the docstrings."""
    results = [result_of(fact) for fact in SANE]

    def largest(quantity):
        return max(float(np.max(quantity(result))) for result in results)

    def host_change(result):
        same = np.abs(result.z - result.host.z) < 1e-6
        return np.abs(result.charge - result.host.charge)[same].max(initial=0.0)

    def net_charge(result):
        return abs(np.sum(result.charge - result.z)) if len(result.z) > 2 else 0.0

    def bare_charge(result):
        return abs(np.sum(result.charge - result.z)) / 2 if len(result.z) == 2 else 0.0

    def lost_d_electrons(result):
        d = [i for i, z in enumerate(result.z) if block(round(z)) == 'd']
        return max(1 - result.l_charge[i, :, 2].sum() / (open_shell_electrons(round(result.z[i])) - 2) for i in d)

    def s_electrons(result):
        p_block = [i for i, z in enumerate(result.z) if block(round(z)) == 'p']
        return min((result.l_charge[i, :, 0].sum() for i in p_block), default=2.0)

    def above_hund(result):
        return np.abs(result.spin_moment) - [hund_limit(z) for z in result.z]

    def semicore_excess(result):
        tops = [max(state.energy for spin in site for state in spin) for site in result.core]
        return max(tops) - result.contour_bottom

    assert largest(lambda r: r.z - r.charge) == pytest.approx(1.24, abs=0.01)
    assert sanity.LOST_ELECTRONS == 3.0
    assert largest(lambda r: r.charge - r.z) == pytest.approx(0.28, abs=0.01)
    assert sanity.GAINED_ELECTRONS == 2.0
    assert largest(host_change) == pytest.approx(0.11, abs=0.01)
    assert sanity.HOST_ATOM_CHANGE == 1.0
    assert largest(net_charge) == pytest.approx(0.09, abs=0.01)
    assert sanity.CHARGE_PER_IMPURITY == 0.5
    assert largest(bare_charge) == pytest.approx(0.13, abs=0.01)
    assert sanity.CHARGE_PER_BARE_IMPURITY == 2.0
    assert largest(lost_d_electrons) < 0.03
    assert sanity.D_SHELL_FRACTION == 0.5
    assert largest(lambda r: -s_electrons(r)) == pytest.approx(-0.90, abs=0.01)
    assert sanity.S_SHELL_ELECTRONS == 0.5
    assert largest(above_hund) < 0.1
    assert sanity.MOMENT_EXCESS == 1.0
    assert largest(lambda r: -r.l_charge) == pytest.approx(-0.11, abs=0.01)
    assert largest(lambda r: r.l_charge[..., 2]) == pytest.approx(5.05, abs=0.01)
    assert sanity.OCCUPATION_EXCESS == 0.1
    assert largest(semicore_excess) == pytest.approx(-0.42, abs=0.03)
    assert sanity.CORE_CLEARANCE == 0.05
    assert largest(lambda r: r.efermi - r.edge) == pytest.approx(1.05, abs=0.01)
    assert largest(lambda r: r.edge - r.efermi) == pytest.approx(-0.3, abs=0.15)
    assert sanity.EDGE_BELOW_FERMI == 5.0


def test_the_false_convergence_is_rejected_for_its_physics(archived_output):
    files = archived_output('ni_in_cu_false_convergence')
    reference = json.loads(files.pop('reference.json'))
    host = HostReference(np.array(reference['host_z']), np.array(reference['host_charge']))
    run = read_run({name: content.decode() for name, content in files.items()}, host)
    assert run.history.converged
    assert run.history.error[-1] < 1e-6
    problems = {problem.name: problem for problem in run.problems}
    assert set(problems) == {'site_charge', 'host_atom_charge', 'cluster_charge', 'd_shell', 'potential_edge'}
    assert 'site 1 (Ni) holds 18.26 electrons, 9.74 fewer' in problems['site_charge'].message
    assert 'site 2 (Cu)' in problems['host_atom_charge'].message
    assert '-4.78 electrons' in problems['host_atom_charge'].message
    assert '67.10 electrons fewer' in problems['cluster_charge'].message
    assert 'hold 0.15 electrons instead of 8 or more' in problems['d_shell'].message
    assert '32.1 Ry below the Fermi energy' in problems['potential_edge'].message
    assert all('Restart from a sane potential' in problem.message for problem in run.problems)
    # each finding alone is enough, and so is a run of which nothing but the charges are known
    z, charge = run.history.nuclear_charge, run.history.charge[-1]
    assert {problem.name for problem in check_result(ClusterResult(z=z, charge=charge))} == {
        'site_charge',
        'cluster_charge',
    }


def test_a_run_without_charges_is_not_taken_for_sane(archived_output):
    files = {name: content.decode() for name, content in archived_output('mn_in_cu').items()}
    log = '\n'.join(line for line in files['out_log.000.txt'].splitlines() if 'average rms-error' in line) + '\n'
    run = read_run({'out_log.000.txt': log})
    assert run.history.niter
    assert run.unchecked == 'charges of the last iteration are missing'


def test_lost_d_shell_on_one_site(mn_in_cu):
    charge, l_charge = mn_in_cu.charge.copy(), mn_in_cu.l_charge.copy()
    charge[0] -= l_charge[0, :, 2].sum()
    l_charge[0, :, 2] = 0.0
    assert {'site_charge', 'cluster_charge', 'd_shell'} <= names(replace(mn_in_cu, charge=charge, l_charge=l_charge))
    # even if s and p electrons make up for it
    compensated = replace(mn_in_cu, l_charge=l_charge)
    (problem,) = check_result(compensated)
    assert problem.name == 'd_shell'
    assert 'site 1 (Mn) hold 0.00 electrons instead of 5 or more' in problem.message


@pytest.mark.parametrize('fact', [fact for fact in FACTS if s_level_is_lost(fact)], ids=name_of)
def test_lost_s_level_of_se_and_te(fact):
    result = result_of(fact)
    (problem,) = check_result(result)
    assert problem.name == 's_shell'
    assert f'the s states of site 1 ({symbol(fact["z"][0])}) hold 0.1' in problem.message
    # as a core state it is not expected among the valence states
    core_charge = result.core_charge + 2.0 * (np.arange(len(result.z)) == 0)
    assert names(replace(result, core_charge=core_charge, core=None)) == set()


def test_lost_d_electrons_of_one_spin(mn_in_cu):
    charge, l_charge = mn_in_cu.charge.copy(), mn_in_cu.l_charge.copy()
    charge[0] -= l_charge[0, 1, 2]
    l_charge[0, 1, 2] = 0.0
    assert {'site_charge', 'cluster_charge', 'd_shell'} <= names(replace(mn_in_cu, charge=charge, l_charge=l_charge))


@pytest.mark.parametrize('sign', [1.0, -1.0])
def test_one_electron_too_many_or_too_few_in_the_cluster(mn_in_cu, sign):
    charge = mn_in_cu.charge + sign / len(mn_in_cu.z)
    (problem,) = check_result(replace(mn_in_cu, charge=charge))
    assert problem.name == 'cluster_charge'
    assert ('more' if sign > 0 else 'fewer') in problem.message


def test_neutrality_is_that_of_the_host():
    """In an ionic host with empty spheres, only the change against the host counts."""
    host = HostReference(np.array([12.0] + [8.0] * 6 + [0.0] * 2), np.array([10.4] + [9.2] * 6 + [0.2] * 2))
    z = host.z.copy()
    z[0] = 25.0
    charge = host.charge.copy()
    charge[0] = 25.0 - 1.5
    result = ClusterResult(z=z, charge=charge, host=host)
    assert check_result(result) == ()
    charge[1:7] += 0.2
    assert names(replace(result, charge=charge)) == {'cluster_charge'}


def test_an_impurity_without_neighbours_may_be_charged():
    host = HostReference(np.array([29.0]), np.array([29.0]))
    assert check_result(ClusterResult(z=np.array([52.0]), charge=np.array([50.4]), host=host)) == ()
    assert names(ClusterResult(z=np.array([52.0]), charge=np.array([49.5]), host=host)) == {'cluster_charge'}
    assert names(ClusterResult(z=np.array([52.0]), charge=np.array([48.5]), host=host)) == {
        'site_charge',
        'cluster_charge',
    }


def test_removed_host_sites():
    """A host atom that is removed takes its charge with it, and the rest stays neutral."""
    host = HostReference(np.full(6, 29.0), np.full(6, 29.0), np.array([True] * 5 + [False]))
    result = ClusterResult(z=np.full(5, 29.0), charge=np.full(5, 29.05), host=host)
    assert check_result(result) == ()


def test_a_host_atom_that_changes_its_charge(mn_in_cu):
    charge = mn_in_cu.charge.copy()
    charge[3] -= 1.3
    charge[4] += 1.3
    problems = {problem.name: problem.message for problem in check_result(replace(mn_in_cu, charge=charge))}
    assert set(problems) == {'host_atom_charge'}
    assert '(1 more site alike)' in problems['host_atom_charge']


def test_states_counted_twice(mn_in_cu):
    """3d electrons of Ga as core and as valence states: ten electrons too many, and the level inside of the contour."""
    charge = mn_in_cu.charge.copy()
    charge[0] += 10.0
    assert {'site_charge', 'cluster_charge'} <= names(replace(mn_in_cu, charge=charge))
    core = _with_core(mn_in_cu, lambda states: [*states[:-1], replace(states[-1], energy=-0.45)])
    assert names(core) == {'core_in_contour'}


@pytest.mark.parametrize(
    ('z', 'limit'), [(24, 6), (25, 5), (26, 4), (29, 1), (30, 0), (13, 3), (31, 3), (64, 9), (11, 1)]
)
def test_hund_limit(z, limit):
    assert hund_limit(z) == limit


@pytest.mark.parametrize('moment', [6.5, -6.5])
def test_moment_above_hund_limit(mn_in_cu, moment):
    moments = mn_in_cu.spin_moment.copy()
    moments[0] = moment
    (problem,) = check_result(replace(mn_in_cu, spin_moment=moments))
    assert problem.name == 'moment'
    assert f'{moment:.2f} Bohr magnetons' in problem.message


def test_moment_on_a_closed_shell(mn_in_cu):
    moments = mn_in_cu.spin_moment.copy()
    moments[5] = 2.5
    assert names(replace(mn_in_cu, spin_moment=moments)) == {'moment'}


@pytest.mark.parametrize(('l_index', 'value'), [(2, 5.8), (0, -0.2), (1, 7.0)])
def test_occupation_outside_of_paulis_limits(mn_in_cu, l_index, value):
    l_charge = mn_in_cu.l_charge.copy()
    l_charge[0, 1, l_index] = value
    assert names(replace(mn_in_cu, l_charge=l_charge)) == {'occupation'}


def _with_core(result, change, spins=(0, 1), core_charge=None):
    site = tuple(tuple(change(list(states))) if k in spins else states for k, states in enumerate(result.core[0]))
    charges = result.core_charge.copy()
    charges[0] = sum(2 * state.l + 1 for spin in site for state in spin) if core_charge is None else core_charge
    return replace(result, core=(site, *result.core[1:]), core_charge=charges)


def test_core_of_the_real_case(mn_in_cu):
    """1s 2s 3s 2p 3p, in this order."""
    assert [state.l for state in mn_in_cu.core[0][0]] == [0, 0, 0, 1, 1]


def test_hole_in_the_3s_core(mn_in_cu):
    """Found in the log as 16 core electrons, the rest of the charge made up for by the valence."""
    (problem,) = check_result(_with_core(mn_in_cu, lambda states: states[:2] + states[3:]))
    assert problem.name == 'core_states'
    assert 'a 3p core state without the deeper 3s states' in problem.message


def test_missing_3p_shell(mn_in_cu):
    (problem,) = check_result(_with_core(mn_in_cu, lambda states: states[:-1]))
    assert problem.name == 'core_states'
    assert 'site 1 (Mn): the 3p states are missing in the core, and lie below' in problem.message
    # with a contour that reaches down to them they are valence states
    deep = replace(mn_in_cu, contour_bottom=-3.0)
    assert names(_with_core(deep, lambda states: states[:-1])) == set()


def test_missing_inner_shell(mn_in_cu):
    assert names(_with_core(mn_in_cu, lambda states: [])) == {'core_states'}


def test_a_shell_the_atom_does_not_have(mn_in_cu):
    (problem,) = check_result(_with_core(mn_in_cu, lambda states: [*states, CoreState(1, -1.5)]))
    assert problem.name == 'core_states'
    assert '4p' in problem.message


def test_core_states_of_one_spin_only(mn_in_cu):
    (problem,) = check_result(_with_core(mn_in_cu, lambda states: states[:-1], spins=(0,)))
    assert problem.name == 'core_states'
    assert 'two spins' in problem.message


def test_core_levels_out_of_order(mn_in_cu):
    """A level found twice, or in the place of another."""
    same = _with_core(mn_in_cu, lambda states: [states[0], states[1], states[1], *states[3:]])
    assert names(same) == {'core_states'}
    swapped = _with_core(mn_in_cu, lambda states: [*states[:3], replace(states[3], energy=-60.0), states[4]])
    assert names(swapped) == {'core_states'}, '2p below 2s'


def test_core_charge_that_does_not_fit_the_levels(mn_in_cu):
    (problem,) = check_result(_with_core(mn_in_cu, lambda states: states, core_charge=16.9))
    assert problem.name == 'core_charge'
    assert '18 electrons, but 16.900' in problem.message


@pytest.mark.parametrize('depth', [-25.0, 3.0])
def test_potential_at_the_boundary(mn_in_cu, depth):
    edge = mn_in_cu.edge.copy()
    edge[2] = mn_in_cu.efermi + depth
    (problem,) = check_result(replace(mn_in_cu, edge=edge))
    assert problem.name == 'potential_edge'
    assert 'site 3 (Cu)' in problem.message


@pytest.mark.parametrize('value', [np.nan, np.inf])
@pytest.mark.parametrize('key', ['charge', 'spin_moment', 'l_charge', 'edge', 'total_energy', 'error', 'core_charge'])
def test_not_finite(mn_in_cu, key, value):
    bad = getattr(mn_in_cu, key)
    bad = value if np.isscalar(bad) else np.where(np.arange(bad.size).reshape(bad.shape) == 3, value, bad)
    (problem,) = check_result(replace(mn_in_cu, **{key: bad}))
    assert problem.name == 'not_finite'


def test_potential_and_core_levels_not_finite(mn_in_cu):
    assert names(replace(mn_in_cu, potential_finite=False)) == {'not_finite'}
    assert names(_with_core(mn_in_cu, lambda s: [*s[:-1], CoreState(1, np.nan)])) == {'not_finite'}


def test_numbers_of_sites_must_agree(mn_in_cu):
    with pytest.raises(ValueError, match='13 sites'):
        replace(mn_in_cu, charge=mn_in_cu.charge[:5])
    with pytest.raises(ValueError, match='host reference does not belong to 13'):
        replace(mn_in_cu, host=HostReference(np.array([29.0]), np.array([29.0])))


def test_periodic_table():
    assert [symbol(z) for z in (0, 1, 25, 92, 25.5, float('nan'))] == ['Vc', 'H', 'Mn', 'U', 'Z=25.5', 'Z=nan']
    for z in range(1, 93):
        filled = shells(z)
        assert sum(filled.values()) == z
        assert noble_gas_core(z) < z
        assert 1 <= open_shell_electrons(z) <= 16
    assert [block(z) for z in (0, 11, 13, 25, 30, 31, 57, 64, 71, 80, 81, 92)] == list('sspddpffddpf')
    assert [open_shell_electrons(z) for z in (11, 13, 25, 29, 30, 31, 64, 71, 79, 82)] == [
        1,
        3,
        7,
        11,
        12,
        3,
        10,
        3,
        11,
        4,
    ]
    assert len(SYMBOLS) == 104
