"""Finished impurities that a benchmark leaves out and finds again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from aiida_mlkkr.calculations.records import Writeout, record_of_run
from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.kkr.potential import ImpurityPotential
from aiida_mlkkr.kkr.run import KkrimpRun
from aiida_mlkkr.ml.dataset import ImpurityDataset, ImpurityRecord, PotentialKind
from aiida_mlkkr.ml.errors import DatasetError

NO_MOMENT: Final = 0.1
"""Total moments below this (µB) are none."""


@dataclass(frozen=True, eq=False)
class VoronoiStart:
    """The start potential by the voronoi code that an impurity was computed from.

    :param state_known: whether that was done without initial field: its user knew that there is no moment.
    """

    potential: ImpurityPotential
    state_known: bool


@dataclass(frozen=True, eq=False)
class Files:
    """What a self-consistency needs besides a start potential.

    :param folder: with KKRimp's input files of the impurity, potential aside.
    :param writeout: of the host.
    :param energy: total energy of the solution in Ry.
    :param voronoi: None if the impurity was computed from another start.
    """

    folder: Path
    writeout: Writeout
    energy: float
    voronoi: VoronoiStart | None


@dataclass(frozen=True, eq=False)
class Case:
    """A finished impurity.

    :param kind, record: what models learn from it; a single impurity has a positive moment.
    :param files: None if there are none, as for a dataset from a file: then nothing can be iterated.
    """

    kind: PotentialKind
    record: ImpurityRecord
    files: Files | None = None

    @cached_property
    def elements(self) -> str:
        """Symbols of the impurities: ``Mn``, ``Mn-Cr``."""
        return '-'.join(symbol(z) for z in self.record.z[self.record.impurities])

    @property
    def name(self) -> str:
        """For people: ``Mn in Cu (alat 6.822)``."""
        return f'{self.elements} in {self.record.host.name}'

    @property
    def moment(self) -> float:
        """Total spin moment in µB."""
        return float(self.record.moments.sum())

    @property
    def magnetic(self) -> bool:
        """Whether any impurity has a moment."""
        return bool(np.abs(self.record.moments[self.record.impurities]).max(initial=0.0) > NO_MOMENT)

    @property
    def moments_asked(self) -> list[float] | None:
        """Moments that a user would ask for: none for one impurity, those of the state for several."""
        impurities = self.record.impurities
        return None if len(impurities) < 2 else [float(moment) for moment in self.record.moments[impurities]]


def case_of_run(
    source: str,
    folder: Path,
    writeout: Writeout,
    info: Mapping[str, Any],
    run: KkrimpRun,
    voronoi: VoronoiStart | None = None,
) -> Case:
    """A finished run as a case.

    :param source: what identifies the run.
    :param folder: with its input files, potential aside.
    :param info: its ``impurity_info``.
    :raises DatasetError: if nothing can be learnt from it; the message says why.
    """
    kind, record = record_of_run(source, writeout, info, run)
    return Case(kind, upright(record), Files(folder, writeout, float(run.history.total_energy[-1]), voronoi))


def cases_of_dataset(dataset: ImpurityDataset) -> list[Case]:
    """The impurities of a dataset, without files."""
    return [Case(dataset.kind, upright(record)) for record in dataset.impurities if not record.error]


def comparable(cases: Sequence[Case]) -> list[Case]:
    """The cases that can be measured together: with an impurity in them, each calculation once, with its files if any.

    :raises DatasetError: if there are fewer than two, or they are of different kinds.
    """
    by_source: dict[str, Case] = {}
    for case in cases:
        if len(case.record.impurities) and (case.record.source not in by_source or case.files):
            by_source[case.record.source] = case
    chosen = list(by_source.values())
    if len(chosen) < 2:
        raise DatasetError(f'{len(chosen)} finished impurities: nothing can be left out, and be learnt from the others')
    for case in chosen:
        if difference := chosen[0].kind.difference(case.kind):
            raise DatasetError(f'impurities of different kinds cannot be compared: {difference}')
    return chosen


def first_of_hosts(cases: Sequence[Case], number: int) -> list[Case]:
    """So many cases of every host, spread evenly over its list."""
    chosen = []
    for name in dict.fromkeys(case.record.host.name for case in cases):
        its = [case for case in cases if case.record.host.name == name]
        chosen += its[:: -(-len(its) // number)]
    return chosen


def upright(record: ImpurityRecord) -> ImpurityRecord:
    """A record of a single impurity with its moment turned up: which way it points is a matter of chance."""
    impurities = record.impurities
    if len(impurities) != 1 or record.moments[impurities[0]] >= 0.0:
        return record
    return replace(record, v=tuple(v[::-1] for v in record.v), moments=-record.moments)
