"""The chain of ``aiida-mlkkr demo --full``: its inputs, and how far it is in words."""

from __future__ import annotations

import pytest

from aiida_mlkkr.demo.chain import ChainRun, build_chain, compositions
from aiida_mlkkr.demo.page import html_page


def test_compositions_are_all_pairs_of_a_few_per_cent():
    found = compositions()
    assert len(found) == 6
    assert all(sum(shares.values()) == pytest.approx(0.1) for shares in found)


def test_the_chain_needs_nothing_but_the_archive(aiida_profile):
    from aiida_mlkkr.demo.archive import archived_workchains, current_archive, import_workchains, packaged_archive
    from aiida_mlkkr.demo.recipe import recipe_of

    with packaged_archive() as packaged, current_archive(packaged) as path:
        (entry, *_) = archived_workchains(path)
        ((workchain,), _) = import_workchains(path, (entry,))
    builder = build_chain(recipe_of(entry.symbol, workchain).host, None)
    inputs = builder._inputs(prune=True)
    assert 'impurity_info' not in inputs['host'].creator.inputs  # the host itself, not the write-out
    assert inputs['structure'].get_formula() == 'Cu'
    assert [len(shares) for shares in inputs['compositions'].get_dict().values()] == [1, 2, 2, 1, 2, 1]
    run = ChainRun(builder)
    run.resume()
    assert (run.node, run.has_result, run.problem, run.steps) == (None, False, None, '')


def test_a_page_leads_to_the_others():
    page = html_page('title', 'lead', ('', ''), [], {}, [('verdi status', 'how it is')], {'magnets.html': 'to magnets'})
    assert '<a href="magnets.html">to magnets</a>' in page
