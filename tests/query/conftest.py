"""The packaged archive as a database to search, and what older ones are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from past_database import KKRIMP, PastDatabase, files_of

ELEMENTS = ('Al', 'V', 'Cr', 'Mn', 'Fe', 'Zn')

if TYPE_CHECKING:
    from aiida.orm import CalcJobNode, Data, WorkChainNode


@pytest.fixture(scope='module')
def copper(aiida_profile) -> dict[str, WorkChainNode]:
    """Workchains of the packaged archive by element."""
    from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive

    with packaged_archive() as path:
        entries = choose_impurities(archived_workchains(path), ELEMENTS)
        workchains, _ = import_workchains(path, entries)
    return {entry.symbol: node for entry, node in zip(entries, workchains, strict=True)}


@pytest.fixture(scope='module')
def stages(copper) -> Callable[[str], list[CalcJobNode]]:
    """A function: the two KKRimp calculations of an element."""

    def of(element: str) -> list[CalcJobNode]:
        called = copper[element].called_descendants
        return sorted((node for node in called if node.process_type == KKRIMP), key=lambda node: node.ctime)

    return of


@pytest.fixture(scope='module')
def past(copper, stages) -> PastDatabase:
    """What makes the nodes of older databases."""
    return PastDatabase(stages('Mn')[0].computer)


@pytest.fixture(scope='module')
def manganese(stages) -> tuple[list[dict[str, bytes]], dict[str, Data]]:
    """Retrieved files of both calculations for Mn, and the inputs that they share."""
    first, last = stages('Mn')
    shared = {name: first.inputs[name] for name in ('host_Greenfunction_folder', 'impurity_info', 'parameters')}
    return [files_of(first.outputs.retrieved), files_of(last.outputs.retrieved)], shared
