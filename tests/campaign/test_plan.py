"""Plans: the elements that a host can take, and what is there already."""

from __future__ import annotations

import pytest


def test_elements_of_a_list():
    from aiida_mlkkr.campaign.plan import parse_elements

    assert parse_elements('Sc-Cr, al,Ti') == [21, 22, 23, 24, 13]
    for wrong, words in (('Xx', "no element 'Xx'"), ('Pu', "no element 'Pu' up to U"), ('Zn-Sc', 'runs backwards')):
        with pytest.raises(ValueError, match=words):
            parse_elements(wrong)


def test_open_f_shells_need_a_larger_cutoff():
    from aiida_mlkkr.campaign.plan import possible_elements

    assert possible_elements(3) == list(range(1, 93))
    lanthanides, actinides = set(range(58, 70)), {91, 92}
    allowed = set(possible_elements(2))
    assert not allowed & (lanthanides | actinides)
    assert set(range(1, 57)) | set(range(71, 89)) <= allowed
    assert set(range(21, 29)).isdisjoint(possible_elements(1))


def test_what_is_wanted(copper):
    from aiida_mlkkr.campaign.plan import possible_elements, wanted

    everything = wanted(copper, None)
    assert len(everything) == len(possible_elements(2)) - 1, 'copper in copper is no impurity'
    pairs = wanted(copper, [24, 25, 29], singles=False, shells=[1])
    assert [entry.charges for entry in pairs] == [(24, 24), (24, 25), (25, 25)]
    assert pairs[1].name == 'Cr-Mn in Cu (alat 4.824), 13 sites'
    with pytest.raises(ValueError, match='Gd would need a host with a larger cutoff than lmax=2'):
        wanted(copper, [64])


def test_what_jukkr_has_done_is_not_run_again(copper, workchains):
    from aiida_mlkkr.campaign.plan import compare, wanted

    plan = compare(wanted(copper, [30, 80], shells=[1]))
    assert {entry.charges: found.process.uuid for entry, found in plan.there.items()} == {(30,): workchains['Zn'].uuid}
    assert [entry.charges for entry in plan.missing] == [(80,), (30, 30), (30, 80), (80, 80)]
