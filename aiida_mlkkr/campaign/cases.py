"""Finished impurities of a database as cases of a benchmark, with the files that a self-consistency needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from aiida import orm
from aiida.engine import ProcessBuilder, run_get_node

from aiida_mlkkr.benchmark.cases import Case, VoronoiStart, case_of_run
from aiida_mlkkr.benchmark.scf import Scf
from aiida_mlkkr.benchmark.starts import Start
from aiida_mlkkr.calculations.folders import run_of, writeout_of
from aiida_mlkkr.calculations.records import Writeout
from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential, write_potential
from aiida_mlkkr.kkr.run import read_run
from aiida_mlkkr.kkr.schedule import Schedule
from aiida_mlkkr.kkr.start_check import is_magnetic
from aiida_mlkkr.kkr.writeout import HOST_FILES
from aiida_mlkkr.ml.errors import DatasetError
from aiida_mlkkr.parsers.retrieved import retrieved_texts
from aiida_mlkkr.query.candidates import KKRIMP
from aiida_mlkkr.query.impurity import FinishedImpurity, QueryError
from aiida_mlkkr.workflows.imp_scf import KkrImpScfWorkChain

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


@dataclass(frozen=True)
class WithCode:
    """Runs self-consistencies by ``mlkkr.imp_scf``, with their provenance.

    :param code: of the plugin ``kkr.kkrimp``.
    """

    code: orm.AbstractCode

    def __call__(self, case: Case, start: Start, schedule: Schedule) -> Scf:
        """From a start potential of an impurity that a database knows.

        :raises QueryError: the code cannot do that; the message says why.
        """
        results, node = run_get_node(self._builder(case, start, schedule))
        if not node.is_finished_ok:
            return Scf.failed(node.exit_message or 'mlkkr.imp_scf failed')
        history = read_run(retrieved_texts(results['retrieved'])).history
        total = int(results['results']['iterations'])
        return Scf(total, True, '', history.spin_moment[-1], history.charge[-1], float(history.total_energy[-1]))

    def _builder(self, case: Case, start: Start, schedule: Schedule) -> ProcessBuilder:
        impurity = orm.load_node(case.record.source).creator.inputs
        try:
            return KkrImpScfWorkChain.get_builder_from_protocol(
                self.code,
                impurity.impurity_info,
                host_greenfunction=impurity.host_Greenfunction_folder,
                startpot=potential_file(start.potential),
                magnetic_moments=[0.0] if start.state_known and not is_magnetic(start.potential) else None,
                overrides={'schedule': schedule.after(start.expected).to_values()},
                starts=['startpot'],
            )
        except ValueError as error:
            raise QueryError(f'{case.elements}: {error}') from error


def potential_file(potential: ImpurityPotential) -> orm.SinglefileData:
    """A potential as a node."""
    stream = StringIO()
    write_potential(potential, stream)
    return orm.SinglefileData.from_string(stream.getvalue(), 'potential')


def voronoi_start(impurity: FinishedImpurity) -> VoronoiStart | None:
    """The potential that ``kkr_imp_wc`` began with, which it has from the voronoi code unless it was given one."""
    process = impurity.process
    if process.process_label != 'kkr_imp_wc' or 'startpot' in process.inputs:
        return None
    calculations = [node for node in process.called_descendants if node.process_type == KKRIMP]
    first = min(calculations, key=lambda node: node.ctime)
    field, _ = first.inputs.parameters.get_dict().get('HFIELD') or (0.0, 0)
    content = first.base.repository.get_object_content('potential', mode='r')
    return VoronoiStart(read_potential(StringIO(content)), state_known=not field)


def _copy(node: orm.FolderData, names: Iterable[str], folder: Path) -> None:
    present = node.base.repository.list_object_names()
    missing = [name for name in names if name not in present]
    if missing:
        raise QueryError(f'{", ".join(missing)} was not retrieved, without which nothing can be iterated')
    for name in names:
        (folder / name).write_bytes(node.base.repository.get_object_content(name, mode='rb'))
