"""Find finished impurity calculations, with the data that a training set needs of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent
from rich.progress import Progress

from aiida_mlkkr import __version__
from aiida_mlkkr.calculations.folders import run_of
from aiida_mlkkr.calculations.records import LARGEST_ERROR, NEEDED, unusable
from aiida_mlkkr.data.dataset import ImpurityDatasetData
from aiida_mlkkr.kkr.run import LOG, POTENTIAL, STDOUT
from aiida_mlkkr.parsers.retrieved import PACKED
from aiida_mlkkr.query.candidates import Candidate, find_candidates
from aiida_mlkkr.query.evidence import Evidence, gather
from aiida_mlkkr.query.exclude import Exclusion
from aiida_mlkkr.query.impurity import Dropped, FinishedImpurity, Found, QueryError

LIMIT = 'largest_error'
"""Input of a dataset that may hold potentials that are not converged."""


def find_impurities(
    group: str | orm.Group | None = None,
    nodes: Iterable[orm.Node] = (),
    exclude: Collection[str | int] = (),
    progress: Progress | None = None,
    largest_error: float = LARGEST_ERROR,
) -> Found:
    """Find the finished impurities among nodes and all that these called.

    Understood are ``kkr_imp_wc``, ``kkr_imp_sub_wc`` and ``KkrImpScfWorkChain``, also where other workchains call them,
    and each ``KkrimpCalculation`` by itself, of AiiDA 0.12, 1 and 2. A node inside of such a workchain stands for the
    workchain; of calculations that continue one another the last one counts that can be used.

    :param group: a group, or its label.
    :param nodes: processes, alone or besides the group's.
    :param exclude: what to leave out: symbols of impurities; pks or UUIDs of process, calculation or potential.
    :param progress: where to show how far it is.
    :param largest_error: error of a potential in Ry up to which it is used. Above 1e-4 it is not converged; then the
        earlier calculations, that those found continue, are used as well as far as their errors allow.
    :raises QueryError: if there is no such group, or if something to exclude is not there.
    """
    members = {node.pk: node for node in [*nodes, *(_group(group).nodes if group is not None else ())]}
    processes = {pk: node for pk, node in members.items() if isinstance(node, orm.ProcessNode)}
    candidates = find_candidates(processes)
    found = Found(
        dropped=[Dropped(processes[pk], _ending(processes[pk])) for pk in candidates.failed_early],
        others=candidates.others + len(members) - len(processes),
    )
    evidence = gather(candidates.last)
    search = _Search(found, Exclusion(exclude, evidence), largest_error)
    task = None if progress is None else progress.add_task('looking at impurities', total=len(evidence))
    for candidate in evidence:
        search.judge(candidate)
        if progress is not None and task is not None:
            progress.advance(task)
    if largest_error > LARGEST_ERROR:
        search.look_back()
    found.usable.reverse()
    return found


def _group(group: str | orm.Group) -> orm.Group:
    if isinstance(group, orm.Group):
        return group
    try:
        return orm.load_group(group)
    except (NotExistent, MultipleObjectsError) as error:
        raise QueryError(str(error)) from error


class _Search:
    """Judges candidates, the latest first, and remembers what is settled already."""

    def __init__(self, found: Found, exclusion: Exclusion, largest_error: float) -> None:
        self._largest_error = largest_error
        self._continued: list[Candidate] = []
        self._exclusion = exclusion
        self._found = found
        self._superseded: set[int] = set()
        self._explained: set[int] = set()
        self._potentials: dict[str, int] = {}
        self._learnt = _in_datasets()

    def judge(self, evidence: Evidence) -> None:
        """Put a candidate where it belongs; earlier stages of one that is used or named already go nowhere."""
        candidate = evidence.candidate
        if candidate.calculation in self._superseded:
            return
        excluded = self._exclusion.reason(evidence)
        purpose = _other_purpose(evidence)
        outcome = excluded or purpose or self._examine(evidence)
        if isinstance(outcome, FinishedImpurity):
            self._found.usable.append(outcome)
            self._continued.append(candidate)
        elif candidate.calculation not in self._explained:
            self._found.dropped.append(Dropped(evidence.process, outcome))
        if excluded or isinstance(outcome, FinishedImpurity):
            self._superseded |= candidate.continues
        elif not purpose:
            self._explained |= candidate.continues

    def look_back(self) -> None:
        """Use the calculations that those found continue, where their potentials are good enough."""
        taken = {candidate.calculation for candidate in self._continued}
        earlier = {
            pk: Candidate(pk, candidate.process, None, frozenset())
            for candidate in self._continued
            for pk in sorted(candidate.continues - taken)
        }
        for evidence in gather(list(earlier.values())):
            outcome = self._examine(evidence)
            if isinstance(outcome, FinishedImpurity):
                self._found.usable.append(outcome)

    def _examine(self, evidence: Evidence) -> FinishedImpurity | str:
        """The impurity, or why it cannot be used."""
        impurity = _collected(evidence)
        if isinstance(impurity, str):
            return impurity
        if impurity.uuid not in self._learnt:
            reason = unusable(
                run_of(impurity.retrieved, impurity.host_writeout, impurity.potential), self._largest_error
            )
            if reason:
                return reason
        same = self._potentials.setdefault(_content(impurity), evidence.candidate.process)
        return impurity if same == evidence.candidate.process else f'the same potential as that of {same}'


def _in_datasets() -> set[str]:
    """UUIDs of the converged impurities that this version of the package has found good, and need not be read again."""
    unconverged = orm.QueryBuilder()
    unconverged.append(orm.Float, tag='limit')
    unconverged.append(orm.CalcFunctionNode, with_incoming='limit', edge_filters={'label': LIMIT}, tag='function')
    unconverged.append(ImpurityDatasetData, with_incoming='function', project='id')
    others = set(unconverged.all(flat=True))
    query = orm.QueryBuilder()
    query.append(
        ImpurityDatasetData,
        filters={'attributes.package_version': __version__},
        project=['id', 'attributes.details.sources'],
    )
    return {uuid for pk, sources in query.all() if pk not in others for uuid in sources or ()}


def _other_purpose(evidence: Evidence) -> str:
    if not evidence.process.is_terminated:
        return f'not finished: it is {_state(evidence.process)}'
    if evidence.parameters.get('CALCJIJMAT'):
        return 'exchange tensors, no self-consistency'
    if evidence.writeout is not None and evidence.writeout.parameters.get('NPOL') == 0:
        return 'a density of states, no self-consistency'
    return ''


def _collected(evidence: Evidence) -> FinishedImpurity | str:
    """The nodes of an impurity, or why it cannot be used, as far as that can be told without reading its files."""
    retrieved, potential, writeout = evidence.retrieved, evidence.potential, evidence.writeout
    if retrieved is None or not {LOG, STDOUT, PACKED}.intersection(_files(retrieved)):
        return _no_output(evidence)
    if writeout is None or writeout.retrieved is None:
        return 'the calculation that wrote the Green function of its host is not in the database'
    gone = [name for name in NEEDED if name not in _files(writeout.retrieved)]
    if gone:
        return f'{", ".join(gone)} of the write-out of its host ({writeout.pk}) is not in the database'
    if evidence.impurity_info is None:
        return 'neither the calculation nor the write-out of its host has an impurity_info'
    if potential is not None and potential.filename not in _files(potential):
        potential = None
    return FinishedImpurity(evidence.process, retrieved, potential, evidence.impurity_info, writeout.retrieved)


def _no_output(evidence: Evidence) -> str:
    failed = next((node for node in (evidence.calculation, evidence.process) if not node.is_finished_ok), None)
    return 'its files are gone from the database' if failed is None else _ending(failed)


def _ending(process: orm.ProcessNode) -> str:
    status = f' with exit status {process.exit_status}: {process.exit_message}' if process.exit_status else ''
    return f'{_state(process)}{status}, without any output of KKRimp'


def _state(process: orm.ProcessNode) -> str:
    return str(process.process_state.value) if process.process_state is not None else 'in no known state'


def _files(node: orm.Data) -> dict[str, Any]:
    """What the repository knows of the files at the top of a node, by name."""
    return dict(node.base.repository.metadata.get('o', {}))


def _content(impurity: FinishedImpurity) -> str:
    """The key under which the repository keeps the potential: the same for the same bytes."""
    node = impurity.potential or impurity.retrieved
    names = (POTENTIAL, PACKED) if impurity.potential is None else (impurity.potential.filename,)
    files = _files(node)
    return str(next(files[name]['k'] for name in names if name in files))
