"""Finished impurities of a database as cases of a benchmark, with the files that a self-consistency needs."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO
from pathlib import Path

from aiida import orm

from aiida_mlkkr.benchmark.cases import Case, case_of_run
from aiida_mlkkr.benchmark.scf import HOST_FILES
from aiida_mlkkr.calculations.folders import run_of, writeout_of
from aiida_mlkkr.calculations.records import Writeout
from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential
from aiida_mlkkr.ml.errors import DatasetError
from aiida_mlkkr.query.candidates import KKRIMP
from aiida_mlkkr.query.impurity import FinishedImpurity, QueryError

OWN_FILES = ('config.cfg', 'kkrflex_atominfo')


class CaseFolders:
    """Writes the files of impurities below a folder, those of a host once.

    :param folder: where.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writeouts: dict[str, Writeout] = {}

    def case(self, impurity: FinishedImpurity) -> Case:
        """An impurity with its files.

        :raises QueryError: if a file that a self-consistency needs was not retrieved.
        :raises DatasetError: if nothing can be learnt from it; the message says why.
        """
        host = self._host(impurity.host_writeout)
        folder = self._folder / impurity.uuid
        folder.mkdir()
        _copy(impurity.retrieved, OWN_FILES, folder)
        for name in HOST_FILES:
            (folder / name).symlink_to(host / name)
        return case_of_run(
            impurity.uuid,
            folder,
            self._writeouts[impurity.host_writeout.uuid],
            impurity.impurity_info.get_dict(),
            run_of(impurity.retrieved, impurity.host_writeout, impurity.potential),
            voronoi_start(impurity),
        )

    def cases(self, impurities: Iterable[FinishedImpurity]) -> tuple[list[Case], dict[str, str]]:
        """All that can be used, and for each of the others, by label, why not."""
        cases, dropped = [], {}
        for impurity in impurities:
            try:
                cases.append(self.case(impurity))
            except (QueryError, DatasetError) as error:
                dropped[impurity.label] = str(error)
        return cases, dropped

    def _host(self, writeout: orm.FolderData) -> Path:
        folder = self._folder / f'host_{writeout.uuid}'
        if writeout.uuid not in self._writeouts:
            folder.mkdir(exist_ok=True)
            _copy(writeout, HOST_FILES, folder)
            self._writeouts[writeout.uuid] = writeout_of(writeout)
        return folder.resolve()


def voronoi_start(impurity: FinishedImpurity) -> ImpurityPotential | None:
    """The potential that ``kkr_imp_wc`` began with, which it has from the voronoi code unless it was given one."""
    process = impurity.process
    if process.process_label != 'kkr_imp_wc' or 'startpot' in process.inputs:
        return None
    calculations = [node for node in process.called_descendants if node.process_type == KKRIMP]
    first = min(calculations, key=lambda node: node.ctime)
    return read_potential(StringIO(first.base.repository.get_object_content('potential', mode='r')))


def _copy(node: orm.FolderData, names: Iterable[str], folder: Path) -> None:
    present = node.base.repository.list_object_names()
    missing = [name for name in names if name not in present]
    if missing:
        raise QueryError(f'{", ".join(missing)} was not retrieved, without which nothing can be iterated')
    for name in names:
        (folder / name).write_bytes(node.base.repository.get_object_content(name, mode='rb'))
