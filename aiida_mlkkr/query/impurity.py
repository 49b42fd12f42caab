"""What a search for finished impurities gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, cast

from aiida import orm

from aiida_mlkkr.kkr.elements import symbol


class QueryError(ValueError):
    """What is asked for cannot be found or used; the message is for the user."""


@dataclass(frozen=True)
class FinishedImpurity:
    """A converged and sane impurity cluster.

    :param process: the workchain that it comes from, or the calculation.
    :param retrieved: files of the last KKRimp calculation.
    :param potential: the converged potential as the workchain returns it; None if it is in the retrieved files.
    :param impurity_info: impurities and cluster, as KKRimp had them.
    :param host_writeout: retrieved files of the calculation that wrote the host's Green function.
    """

    process: orm.ProcessNode
    retrieved: orm.FolderData
    potential: orm.SinglefileData | None
    impurity_info: orm.Dict
    host_writeout: orm.FolderData

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols of the impurities."""
        return tuple(symbol(z) for z in impurity_charges(self.impurity_info))

    @property
    def label(self) -> str:
        """Label of the process; the elements if it has none."""
        return self.process.label or '-'.join(self.elements)

    @property
    def uuid(self) -> str:
        """UUID by which datasets know the impurity."""
        return self.retrieved.uuid

    @property
    def host_greenfunction(self) -> orm.RemoteData:
        """Remote folder of the write-out of the host, for calculations of other impurities in it."""
        writeout = self.host_writeout.creator
        assert writeout is not None
        return cast(orm.RemoteData, writeout.base.links.get_outgoing(link_label_filter='remote_folder').one().node)

    @property
    def inputs(self) -> dict[str, orm.Data]:
        """The nodes by the names that datasets have for them."""
        names = ('retrieved', 'potential', 'impurity_info', 'host_writeout')
        return {name: node for name in names if (node := getattr(self, name)) is not None}


class Dropped(NamedTuple):
    """A node that is not used, and why."""

    node: orm.Node
    reason: str


@dataclass
class Found:
    """What there is in a group.

    :param usable: impurities that can be trained on, oldest first.
    :param dropped: impurity calculations that cannot, latest first.
    :param others: number of nodes that are no impurity calculations.
    """

    usable: list[FinishedImpurity] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    others: int = 0


def impurity_charges(impurity_info: orm.Dict) -> list[float]:
    """Nuclear charges of the impurities; aiida-kkr takes one number for one impurity."""
    charges = impurity_info.get('Zimp', [])
    return [float(z) for z in (charges if isinstance(charges, list | tuple) else [charges])]
