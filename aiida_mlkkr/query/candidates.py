"""Which KKRimp calculations of a database end an impurity's self-consistency."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from aiida import orm

from aiida_mlkkr.query.links import follow, inputs_of, outputs_of, projected, reached

KKRIMP = 'aiida.calculations:kkr.kkrimp'
"""Process type of KKRimp calculations, the same in AiiDA 0.12, 1 and 2."""

WORKCHAINS = frozenset({'kkr_imp_wc', 'kkr_imp_sub_wc', 'KkrImpScfWorkChain', 'KkrimpBaseWorkChain'})
"""Workchains that end with one impurity cluster, whatever they tried before."""

POTENTIALS = ('converged_potential', 'host_imp_pot')
"""Outputs of these workchains that hold the last potential; ``kkr_imp_wc`` has one since aiida-kkr 1.1.11."""

Graph = Mapping[int, Collection[int]]


@dataclass(frozen=True)
class Candidate:
    """The last calculation of a workchain, or one that was run by itself; nodes by their pks.

    :param calculation: the KKRimp calculation.
    :param process: the outermost impurity workchain that it belongs to, or the calculation itself.
    :param potential: the file that the workchain returns; None if it returns none.
    :param continues: the calculations that it is a restart of, through all generations.
    """

    calculation: int
    process: int
    potential: int | None
    continues: frozenset[int]


class Candidates(NamedTuple):
    """What there is among processes; nodes by their pks.

    :param last: the calculations that can be the end of a self-consistency, latest first.
    :param failed_early: impurity workchains that did not come to any calculation.
    :param others: how many other processes have no KKRimp calculation.
    """

    last: list[Candidate]
    failed_early: set[int]
    others: int


def find_candidates(processes: Iterable[int]) -> Candidates:
    """The candidates among processes and all that they called.

    A process inside of an impurity workchain stands for the workchain.
    """
    roots = set(processes)
    callers = follow(roots, _callers)
    above = _impurity_workchains(roots.union(*callers.values()))
    tops = {root: _outermost(root, callers, above) for root in roots}
    calls = follow(tops.values(), _called)
    everything = set(tops.values()).union(*calls.values())
    workchains, times = _impurity_workchains(everything), _kkrimp_calculations(everything)
    found = _candidates(_members(tops.values(), calls, workchains, times), calls, workchains, times)
    without = {root for root, top in tops.items() if not times.keys() & {top, *reached(top, calls)}}
    return Candidates(
        last=sorted(found, key=lambda candidate: times[candidate.calculation], reverse=True),
        failed_early=without & workchains,
        others=len(without - workchains),
    )


def _callers(pks: set[int]) -> list[tuple[int, int]]:
    return [(link.pk, link.other) for link in inputs_of(pks, orm.ProcessNode, (), 'id')]


def _called(pks: set[int]) -> list[tuple[int, int]]:
    return [(link.pk, link.other) for link in outputs_of(pks, orm.ProcessNode, (), 'id')]


def _impurity_workchains(pks: Iterable[int]) -> set[int]:
    # AiiDA calls what came from 0.12 by another name and keeps its own aside
    names = ['id', 'attributes.process_label', 'attributes._process_label']
    return {pk for pk, *labels in projected(pks, orm.ProcessNode, names) if WORKCHAINS.intersection(labels)}


def _kkrimp_calculations(pks: Iterable[int]) -> dict[int, datetime]:
    """The KKRimp calculations among processes, and when they were made."""
    rows = projected(pks, orm.CalcJobNode, ['id', 'process_type', 'ctime'])
    return {pk: ctime for pk, process_type, ctime in rows if process_type == KKRIMP}


def _outermost(pk: int, callers: Graph, workchains: Collection[int]) -> int:
    """The outermost impurity workchain that a process belongs to, or the process."""
    outermost = pk
    while pk in callers:
        (pk,) = callers[pk]
        if pk in workchains:
            outermost = pk
    return outermost


def _members(
    tops: Iterable[int], calls: Graph, workchains: Collection[int], kkrimp: Collection[int]
) -> dict[int, set[int]]:
    """The KKRimp calculations of each impurity workchain; those outside of one by themselves."""
    members: dict[int, set[int]] = defaultdict(set)
    waiting: list[tuple[int, int | None]] = [(top, None) for top in tops]
    while waiting:
        pk, process = waiting.pop()
        if process is None and pk in workchains:
            process = pk
        if pk in kkrimp:
            members[process or pk].add(pk)
        waiting += [(called, process) for called in calls.get(pk, ())]
    return members


def _candidates(
    members: Mapping[int, set[int]], calls: Graph, workchains: Collection[int], times: Mapping[int, datetime]
) -> list[Candidate]:
    returned = {link.pk: link.other for link in outputs_of(workchains, orm.SinglefileData, POTENTIALS, 'id')}
    makers = _makers(returned.values())
    continued = follow(times, _restarts)
    found = []
    for process, calculations in members.items():
        inside = [process, *(reached(process, calls) & returned.keys())]
        potential = next((returned[pk] for pk in inside if pk in returned), None)
        maker = makers.get(potential) if potential is not None else None
        last = maker if maker in calculations else max(calculations, key=lambda pk: times[pk])
        found.append(Candidate(last, process, potential, frozenset(reached(last, continued))))
    return found


def _makers(potentials: Iterable[int]) -> dict[int, int]:
    """The calculations that wrote potentials: a calculation function took them from the retrieved files."""
    steps: list[tuple[type[orm.Node], tuple[str, ...]]] = [
        (orm.CalcFunctionNode, ()),
        (orm.FolderData, ()),
        (orm.CalcJobNode, ('retrieved',)),
    ]
    origins = {pk: pk for pk in potentials}
    for node_class, labels in steps:
        links = inputs_of(set(origins.values()), node_class, labels, 'id')
        sources = {link.pk: link.other for link in links}
        origins = {pk: sources[origin] for pk, origin in origins.items() if origin in sources}
    return origins


def _restarts(pks: set[int]) -> list[tuple[int, int]]:
    """Calculations and those whose remote folder they begin with."""
    folders = inputs_of(pks, orm.RemoteData, ('parent_calc_folder',), 'id')
    writers = {link.pk: link.other for link in inputs_of({link.other for link in folders}, orm.CalcJobNode, (), 'id')}
    return [(link.pk, writers[link.other]) for link in folders if link.other in writers]
