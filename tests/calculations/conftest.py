"""Real impurities in copper (the packaged archive) as inputs of the calculation functions on datasets and models."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from aiida.orm import FolderData

PAIR = Path(__file__).parents[1] / 'data' / 'mn_pair' / 'gf'
ELEMENTS = ('Al', 'V', 'Cr', 'Mn', 'Fe', 'Ni', 'Cu', 'Zn')

Inputs = dict[str, dict[str, Any]]


@pytest.fixture(scope='module')
def copper(aiida_profile) -> Inputs:
    """Impurities of the archive by element, each as the namespace that ``impurity_dataset`` takes."""
    from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive

    with packaged_archive() as path:
        chosen = choose_impurities(archived_workchains(path), ELEMENTS)
        workchains, _ = import_workchains(path, chosen)
    inputs = {}
    for entry, workchain in zip(chosen, workchains, strict=True):
        calculations = [node for node in workchain.called_descendants if node.process_label == 'KkrimpCalculation']
        last = max(calculations, key=lambda node: node.ctime)
        inputs[entry.symbol] = {
            'retrieved': last.outputs.retrieved,
            'potential': workchain.outputs.converged_potential,
            'impurity_info': workchain.inputs.impurity_info,
            'host_writeout': last.inputs.host_Greenfunction_folder.creator.outputs.retrieved,
        }
    return inputs


@pytest.fixture(scope='module')
def folder(aiida_profile) -> Callable[..., FolderData]:
    """A function: a stored folder with the files of another one, some left out, changed or added."""
    from aiida import orm

    def build(source: FolderData | None = None, without: str = ' ', **contents: str | bytes) -> FolderData:
        node = orm.FolderData()
        repository = node.base.repository
        for name in [] if source is None else source.base.repository.list_object_names():
            if not name.startswith(without):
                repository.put_object_from_bytes(source.base.repository.get_object_content(name, mode='rb'), name)
        for name, content in contents.items():
            repository.put_object_from_bytes(content.encode() if isinstance(content, str) else content, name)
        return node.store()

    return build


@pytest.fixture(scope='module')
def pair(folder, archived_output) -> dict[str, Any]:
    """Two neighbouring Mn atoms in the same host, as a namespace of ``impurity_dataset``."""
    from aiida import orm

    files = {path.name.removesuffix('.gz'): path.read_bytes() for path in PAIR.iterdir()}
    files |= {path.name[:-3]: gzip.decompress(path.read_bytes()) for path in PAIR.glob('*.gz')}
    output = archived_output('mn_pair')
    del output['reference.json']
    return {
        'retrieved': folder(**output),
        'impurity_info': orm.Dict({'Zimp': [25, 25], 'Rimp_rel': [[0, 0, 0], [0.70710678, 0.70710678, 0]]}).store(),
        'host_writeout': folder(**files),
    }
