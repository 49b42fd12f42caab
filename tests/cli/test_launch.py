"""`aiida-mlkkr launch cluster`: what is refused; a run is that of the workchain."""

from __future__ import annotations

import pytest
from commands import shown


@pytest.fixture(scope='module')
def writeout(aiida_profile):
    """JuKKR's write-out of thirteen sites of copper."""
    from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive

    with packaged_archive() as path:
        (single, *_), _ = import_workchains(path, choose_impurities(archived_workchains(path), ('Mn',)))
    (calculation, *_) = (node for node in single.called_descendants if node.process_label == 'KkrimpCalculation')
    return calculation.inputs.host_Greenfunction_folder.creator


@pytest.fixture
def launch(aiida_profile, writeout, kkrimp_code):
    """A function: run the command."""

    def run(*words: str, code: int = 0) -> str:
        given = ['-p', aiida_profile.name, '-H', writeout.pk, '--kkrimp', kkrimp_code.pk]
        return shown('launch', 'cluster', *given, *words, code=code)

    return run


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('-e', 'Mn,Xx'), 'there is no element Xx'),
        (('-e', 'Mn,Fe', '--shell', '9'), 'do not fit into the 13 sites of the write-out'),
        (('-e', 'Mn,Fe', '--number', '3'), 'the pattern dimer takes shell, centre, not number'),
        (('-e', 'Mn,Fe', '--state', '+x'), '--state is ferro, antiferro, free or signs'),
        (('-e', 'Mn,Fe', '--state', '+'), 'for each of the 2 impurities'),
    ],
)
def test_what_cannot_be(launch, arguments, message):
    assert message in launch(*arguments, code=1)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('-e', 'Mn', '--site', '0,0,0'), 'is not four integers'),
        (('-e', 'Mn,Fe,Cr', '--site', '0,0,0,0', '--site', '0,0,0,1'), '3 elements for 2 sites'),
        (('-e', 'Mn', '--site', '0,0,0,0', '--shell', '1'), 'shell belong to a pattern'),
    ],
)
def test_what_is_no_place(launch, arguments, message):
    assert message in launch(*arguments, code=2)


def test_a_dimer(launch):
    out = launch('-e', 'Mn,Fe', '--protocol', 'fast', '--state', '+-')
    assert 'Mn-Fe at 2.55' in out
    assert 'J = ' in out
    assert 'H = −½ Σ_(i≠j)' in out
