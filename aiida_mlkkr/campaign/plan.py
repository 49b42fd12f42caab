"""What is to be run: impurities and pairs in hosts, less what there is already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any, Generic, Protocol, TypeVar

from aiida import orm
from rich.progress import Progress

from aiida_mlkkr.campaign.hosts import HostCluster
from aiida_mlkkr.kkr.elements import SYMBOLS, symbol
from aiida_mlkkr.query import FinishedImpurity, find_impurities
from aiida_mlkkr.query.candidates import KKRIMP
from aiida_mlkkr.query.evidence import HOST_LINKS
from aiida_mlkkr.solver.atom import metallic_configuration
from aiida_mlkkr.workflows.imp_scf.writeout import cluster_in_host

HEAVIEST = 92
"""The last element that there is a free atom of."""

Key = tuple[int, tuple[float, ...]]
"""Pk of the write-out, and the nuclear charges of the sites."""


@dataclass(frozen=True)
class PlannedImpurity:
    """Impurities on sites of a cluster."""

    host: HostCluster
    sites: tuple[int, ...]
    charges: tuple[int, ...]

    @property
    def name(self) -> str:
        """Impurities and host, for people."""
        return f'{"-".join(map(symbol, self.charges))} in {self.where}'

    @property
    def where(self) -> str:
        """The host."""
        return self.host.name

    @property
    def impurity_info(self) -> dict[str, Any]:
        """For aiida-kkr."""
        return self.host.impurity_info(self.sites, self.charges)

    @property
    def key(self) -> Key:
        """The same for the same impurities on the same sites of the same write-out."""
        z = list(self.host.z)
        for site, charge in zip(self.sites, self.charges, strict=True):
            z[site] = float(charge)
        return _key(self.host.writeout, z)


class Planned(Protocol):
    """What is asked for."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def where(self) -> str:
        """What it is counted with: the host."""

    @property
    def key(self) -> Any:
        """By which it is found again."""


P = TypeVar('P', bound=Planned)
F = TypeVar('F')


@dataclass(frozen=True)
class Plan(Generic[P, F]):
    """What is asked for.

    :param there: what is finished, with what was found of it.
    :param missing: what is to be run.
    """

    there: dict[P, F]
    missing: list[P]

    @classmethod
    def of(cls, planned: Iterable[P], finished: Mapping[Any, F]) -> Plan[P, F]:
        """What is asked for beside what there is, by its key."""
        keys = {entry: entry.key for entry in planned}
        there = {entry: finished[key] for entry, key in keys.items() if key in finished}
        return cls(there, [entry for entry in keys if entry not in there])


ImpurityPlan = Plan[PlannedImpurity, FinishedImpurity]


def parse_elements(text: str) -> list[int]:
    """Nuclear charges of a list such as ``Sc-Zn, Al``.

    :raises ValueError: if there is no such element.
    """
    charges: list[int] = []
    for part in filter(None, (piece.strip() for piece in text.split(','))):
        first, _, last = part.partition('-')
        begin, end = _charge(first), _charge(last or first)
        if end < begin:
            raise ValueError(f'{part} runs backwards: name the lighter element first')
        charges += range(begin, end + 1)
    return list(dict.fromkeys(charges))


def possible_elements(lmax: int) -> list[int]:
    """Nuclear charges of the elements without an open shell beyond a cutoff: no lanthanides for lmax 2."""
    return [z for z in range(1, HEAVIEST + 1) if _fits(z, lmax)]


def wanted(
    host: HostCluster, elements: Sequence[int] | None, singles: bool = True, shells: Iterable[int] = ()
) -> list[PlannedImpurity]:
    """Impurities at the centre of a cluster, and pairs of them, the second on a shell around the first.

    :param elements: nuclear charges; all that the host's cutoff allows if None.
    :param shells: those of the pairs, from 1.
    :raises ValueError: if the cluster has no such shell, or an element has an open shell beyond the host's cutoff.
    """
    charges = possible_elements(host.lmax) if elements is None else list(elements)
    excluded = [symbol(z) for z in charges if not _fits(z, host.lmax)]
    if excluded:
        raise ValueError(
            f'{host.name}: {", ".join(excluded)} would need a host with a larger cutoff than lmax={host.lmax}'
        )
    planned = [PlannedImpurity(host, (host.centre,), (z,)) for z in charges] if singles else []
    for shell in shells:
        sites = (host.centre, host.site_of_shell(shell))
        planned += [PlannedImpurity(host, sites, pair) for pair in combinations_with_replacement(charges, 2)]
    return [entry for entry in planned if all(z != host.z[i] for z, i in zip(entry.charges, entry.sites, strict=True))]


def compare(planned: Iterable[PlannedImpurity], progress: Progress | None = None) -> ImpurityPlan:
    """Look up what is in the database already, whoever calculated it."""
    planned = list(planned)
    return Plan.of(planned, _finished({entry.host.writeout.pk: entry.host for entry in planned}.values(), progress))


def _finished(hosts: Iterable[HostCluster], progress: Progress | None) -> dict[Key, FinishedImpurity]:
    folders = [host.greenfunction.pk for host in hosts]
    query = orm.QueryBuilder()
    query.append(orm.RemoteData, filters={'id': {'in': folders}}, tag='greenfunction')
    query.append(
        orm.CalcJobNode,
        with_incoming='greenfunction',
        edge_filters={'label': {'in': list(HOST_LINKS)}},
        filters={'process_type': KKRIMP},
        project='*',
    )
    found: dict[Key, FinishedImpurity] = {}
    for impurity in find_impurities(nodes=query.all(flat=True), progress=progress).usable:
        writeout = impurity.host_writeout.creator
        assert isinstance(writeout, orm.CalcJobNode)
        found.setdefault(_key(writeout, cluster_in_host(writeout, impurity.impurity_info.get_dict()).z), impurity)
    return found


def _key(writeout: orm.CalcJobNode, z: Iterable[float]) -> Key:
    assert writeout.pk is not None
    return writeout.pk, tuple(float(charge) for charge in z)


def _charge(name: str) -> int:
    element = name.strip().capitalize()
    if element not in SYMBOLS[1 : HEAVIEST + 1]:
        raise ValueError(f'there is no element {name.strip()!r} up to {SYMBOLS[HEAVIEST]}')
    return SYMBOLS.index(element)


def _fits(z: int, lmax: int) -> bool:
    return all(electrons == 4 * ell + 2 for _, ell, electrons in metallic_configuration(z) if ell > lmax)
