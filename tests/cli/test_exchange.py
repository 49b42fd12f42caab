"""`aiida-mlkkr show exchange` and `plot exchange`: from nodes, groups and files."""

from __future__ import annotations

import numpy as np
import pytest
from commands import shown

from aiida_mlkkr.exchange.rkky import RkkyTail
from aiida_mlkkr.exchange.table import ExchangeTable

TAIL = RkkyTail(500.0, 1.2, 0.4, 0.0)
NEAR = 2.5


def row_of(number: int) -> ExchangeTable:
    """Manganese in a row, J by the law of the tail, D across it; one moment is negative."""
    positions = np.zeros((number, 3))
    positions[:, 0] = NEAR * np.arange(number)
    r = np.abs(positions[:, None, 0] - positions[None, :, 0]) + np.eye(number)
    tensors = TAIL.j(r)[..., None, None] * np.eye(3)
    across = np.zeros((3, 3))
    across[0, 1], across[1, 0] = 0.25, -0.25
    moments = np.full(number, 3.5)
    moments[-1] = -3.5
    signs = np.sign(np.outer(moments, moments))[..., None, None]
    order = np.sign(positions[None, :, 0] - positions[:, None, 0])[..., None, None]
    return ExchangeTable.of_cluster(
        'Cu', ['Mn'] * number, positions, moments, signs * (tensors + order * across), 'law'
    )


@pytest.fixture(scope='module')
def node(aiida_profile):
    from aiida_mlkkr.data.exchange import ExchangeData

    return ExchangeData.from_table(row_of(4)).store()


@pytest.fixture
def command(aiida_profile):
    """A function: the output of a command in the profile of the tests."""

    def run(*words: object, code: int = 0) -> str:
        return shown(*words[:2], '-p', aiida_profile.name, *words[2:], code=code)

    return run


def test_pairs_and_their_convention(command, node):
    output = command('show', 'exchange', node.pk)
    assert 'Cu, 6 pairs, by law' in output
    j = float(TAIL.j(np.array([NEAR]))[0])
    assert f'Mn-Mn 0-1 2.500 3.500 3.500 {j:.3f} 0.250 0.000 0.000' in output
    assert 'Mn-Mn 2-3 2.500 3.500 -3.500' in output
    assert 'J (meV)' in output
    assert 'aiida-mlkkr, in meV: H = −½ Σ_(i≠j)' in output
    assert 'e along the moments, J > 0 is ferromagnetic' in output


def test_another_convention(command, node):
    j = float(TAIL.j(np.array([NEAR]))[0])
    output = command('show', 'exchange', node.pk, '--convention', 'aiida-kkr-kkrhost')
    assert f'{j / 2:.3f} 0.125 –' in output
    output = command('show', 'exchange', node.pk, '--convention', 'jukkr-out_Jijmatrix')
    # along the spins up: the sign of the pairs with the negative moment stays away
    assert f'0-1 2.500 3.500 3.500 {-j / 13605.69:.8f}' in output
    assert f'2-3 2.500 3.500 -3.500 {j / 13605.69:.8f}' in output
    assert 'J > 0 is antiferromagnetic' in output


def test_what_was_predicted_is_said(command, node, aiida_profile):
    from dataclasses import replace

    from aiida_mlkkr.data.exchange import ExchangeData
    from aiida_mlkkr.exchange.origins import Origins

    assert 'origin' not in command('show', 'exchange', node.pk)
    of_d = np.array([0.125, np.nan, 0.5])
    guess = Origins.of_model('a model', np.array([1.25, 2.0, 3.0]), np.array([False, False, True]), of_d)
    origins = Origins.joined([Origins.computed(['here'] * 3), guess])
    output = command('show', 'exchange', ExchangeData.from_table(replace(row_of(4), origins=origins)).store().pk)
    assert '± J (meV) ± D (meV) origin' in output
    assert output.count('0.000 computed') == 3
    assert '1.250 0.125 predicted' in output
    assert '2.000 – predicted' in output
    assert '3.000 0.500 predicted, not learnt' in output


def test_files_for_others_and_for_us(command, node, tmp_path):
    csv, spirit = tmp_path / 'pairs.csv', tmp_path / 'pairs.txt'
    command('show', 'exchange', node.pk, '--csv', csv, '--spirit', spirit)
    assert csv.read_text(encoding='utf-8').startswith('# convention aiida-mlkkr')
    assert len(spirit.read_text().splitlines()) == 7
    assert '6 pairs, by law' in command('show', 'exchange', csv)


def test_a_workchain_and_a_group(command, node):
    from aiida import orm
    from aiida.common.links import LinkType

    chain = orm.WorkChainNode().store()
    other = orm.WorkChainNode().store()
    node.base.links.add_incoming(chain, LinkType.RETURN, 'exchange')
    group = orm.Group(label='rows').store()
    group.add_nodes([chain, other])
    assert '6 pairs' in command('show', 'exchange', chain.pk)
    assert '6 pairs' in command('show', 'exchange', 'rows')
    assert '12 pairs' in command('show', 'exchange', 'rows', node.pk)
    assert f'{other.pk} has no exchange; give the pk' in command('show', 'exchange', other.pk, code=2)
    assert 'there is no such group or node' in command('show', 'exchange', 'nobody', code=2)


def test_what_spirit_has_no_place_for(command, aiida_profile, tmp_path):
    from dataclasses import replace

    from aiida_mlkkr.data.exchange import ExchangeData

    table = row_of(2)
    node = ExchangeData.from_table(replace(table, tensors=table.tensors + np.diag([0.2, -0.2, 0.0]))).store()
    arguments = ('show', 'exchange', node.pk, '--spirit', tmp_path / 'pairs.txt')
    assert 'spirit has no place for S, B, which is up to 0.2 meV' in command(*arguments, code=1)
    command(*arguments, '--neglected', '0.3')
    assert 'has no place for' in command('show', 'exchange', node.pk, '--convention', 'pairs-once', code=1)


def test_a_convention_that_nobody_knows(command, node):
    output = command('show', 'exchange', node.pk, '--convention', 'mine', code=2)
    assert 'mine is none of aiida-mlkkr, pairs-once' in output


@pytest.mark.parametrize('kind', ['elements', 'distance', 'vectors'])
def test_pictures(command, node, tmp_path, kind):
    path = tmp_path / 'figure.png'
    output = command('plot', 'exchange', node.pk, '--as', kind, '-o', path)
    assert path.stat().st_size > 10_000
    assert '6 pairs in Cu' in output
    if kind == 'distance':
        assert 'k_F = 1.2' in output


def test_pictures_that_cannot_be(command, node, tmp_path):
    arguments = ('plot', 'exchange', node.pk, '-o', tmp_path / 'figure.png', '--pairs')
    assert 'there is no pair Cr-Cr' in command(*arguments, 'Cr-Cr', code=1)
    assert 'two elements joined by a hyphen' in command(*arguments, 'CrCr', code=1)
    assert not (tmp_path / 'figure.png').exists()
