"""What `aiida-mlkkr launch multiscale` and `show multiscale` refuse; the summary of a chain is in test_chain.py."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ('composition', 'code', 'message'),
    [
        ('Mn', 2, 'Mn is not like Mn=0.05,Cr=0.02'),
        ('Mn=1.5', 1, 'compositions'),
        ('Xx=0.05', 1, 'there is no element Xx'),
    ],
)
def test_what_cannot_be(run, pair, composition, code, message):
    assert message in run('launch', 'multiscale', '-H', str(pair.writeout.pk), '-c', composition, code=code)


def test_nothing_to_stand_on(run, pair):
    """Without codes, exchange or a surrogate there are no pairs."""
    shown = run('launch', 'multiscale', '-H', str(pair.writeout.pk), '-c', 'Mn=0.05', '--no-compute', code=1)
    assert 'Mn 5 %: no transition: the chain did not come so far' in shown
    assert 'not one pair could be had' in shown


def test_another_workchain_is_not_shown(run, pair):
    message = 'is no finished mlkkr.multiscale'
    assert message in run('show', 'multiscale', str(pair.single.pk), code=1)
