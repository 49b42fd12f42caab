"""What the builder makes of a few words, and what it refuses."""

from __future__ import annotations

import pytest

from aiida_mlkkr.kkr.impurity_info import sites_asked


def test_moments_are_those_of_free_atoms_with_the_signs_asked_for(pair):
    iron = {'pattern': 'dimer', 'elements': ['Mn', 'Fe']}
    builder = pair.builder(iron)
    assert builder.scf['magnetic_moments'].get_list() == [5.0, 4.0]
    assert pair.builder(iron, magnetic_state='antiferro').scf['magnetic_moments'].get_list() == [5.0, -4.0]
    assert pair.builder(iron, magnetic_state=[-1, 0]).scf['magnetic_moments'].get_list() == [-5.0, 0.0]
    assert 'magnetic_moments' not in pair.builder(iron, magnetic_state='free').scf
    assert builder.scf['impurity_info']['Zimp'] == [25.0, 26.0]
    assert len(builder.scf['impurity_info']['imp_cls']) == 2


def test_clusters_of_one_shape_ask_for_one_write_out(pair):
    infos = [
        pair.in_host(wish).scf['impurity_info'].get_dict()
        for wish in (
            {'pattern': 'dimer', 'elements': ['Mn', 'Fe']},
            {'pattern': 'dimer', 'elements': ['Cr']},
            [{'element': 'V', 'cell': [3, 3, 4]}, {'element': 'Ni', 'cell': [3, 3, 3]}],
        )
    ]
    assert len(infos[0]['imp_cls']) == 20
    assert all(sites_asked(info) == sites_asked(infos[0]) for info in infos)
    assert infos[2]['Rimp_rel'][1] == [0.0, 0.0, 0.0]


def test_protocols(pair):
    assert len(pair.in_host(protocol='precise').scf['impurity_info']['imp_cls']) == 28
    assert len(pair.in_host(protocol='fast').scf['impurity_info']['imp_cls']) == 2
    assert 'exchange' not in pair.builder(overrides={'exchange': False})._inputs(prune=True)
    one = pair.in_host([{'element': 'Mn'}])
    assert 'exchange' not in one._inputs(prune=True)


@pytest.mark.parametrize(
    ('impurities', 'inputs', 'message'),
    [
        ({'pattern': 'dimer', 'shell': 2, 'elements': ['Mn']}, {}, 'do not fit into the 2 sites of the write-out'),
        ({'pattern': 'trimer', 'elements': ['Mn']}, {}, 'do not fit into the 2 sites'),
        ([{'element': 'Mn'}], {}, 'was made for an impurity on its site 2 as well'),
        ([{'element': 'Mn'}, {'element': 'Fe'}], {'in_host': True}, 'are on the same site of the host'),
        ([{'element': 'Mn', 'site': 1}], {'in_host': True}, 'no site 1'),
        ({'pattern': 'dimer', 'elements': ['Mn']}, {'magnetic_state': 'spiral'}, 'ferro, antiferro, free, or one of'),
        ({'pattern': 'dimer', 'elements': ['Mn']}, {'magnetic_state': [1]}, 'for each of the 2 impurities'),
        ({'pattern': 'dimer', 'elements': ['Mn']}, {'protocol': 'slow'}, 'there is no protocol slow'),
        ({'pattern': 'dimer', 'elements': ['Mn']}, {'host_greenfunction': None}, 'give host'),
    ],
)
def test_impossible_wishes(pair, impurities, inputs, message):
    in_host = inputs.pop('in_host', False)
    with pytest.raises(ValueError, match=message):
        (pair.in_host if in_host else pair.builder)(impurities, **inputs)


def test_singles_need_their_start(pair):
    with pytest.raises(ValueError, match=r'scf\.starts does not name the start from them'):
        pair.builder(singles=[pair.single], overrides={'scf': {'starts': ['standard']}})


def test_exchange_needs_two_spins_and_a_code_that_can(pair):
    with pytest.raises(ValueError, match=r'no spin polarisation \(NSPIN= 1\)'):
        pair.builder(magnetic_state=[0, 0], overrides={'scf': {'scf': {'kkrimp': {'parameters': {'NSPIN': 1}}}}})
    jukkr = pair.single.inputs.kkrimp
    with pytest.raises(ValueError, match='JuKKR computes exchange tensors with its Chebyshev solver alone'):
        pair.builder(exchange_code=jukkr)
