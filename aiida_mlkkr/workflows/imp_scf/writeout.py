"""The write-out of the host's Green function: what it holds, and how all impurities of a kind share one."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida.engine import ProcessBuilder
from aiida.manage.configuration import get_config
from aiida_kkr.calculations import KkrCalculation
from aiida_kkr.workflows import kkr_flex_wc
from plumpy.utils import AttributesFrozendict

from aiida_mlkkr.kkr.cluster import ImpurityCluster, read_scoef
from aiida_mlkkr.kkr.impurity_info import sites_asked, sites_mismatch

SCOEF: Final = 'scoef'
AIIDA_KKR_OPTIONS: Final = ('resources', 'withmpi', 'max_wallclock_seconds', 'queue_name', 'custom_scheduler_commands')
"""The options that aiida-kkr's workchains pass on."""


def kkr_calculation(folder: orm.RemoteData) -> orm.CalcJobNode:
    """The calculation of a remote folder.

    :raises ValueError: it is not one of KKRhost.
    """
    if not isinstance(folder, orm.RemoteData):
        raise ValueError(f'{folder} is not a remote folder: take outputs.remote_folder of the calculation')
    creator = folder.creator
    if creator is None or creator.process_class is not KkrCalculation:
        raise ValueError(f'RemoteData<{folder.pk}> is not the remote folder of a KkrCalculation')
    return creator


def cluster_in_host(writeout: orm.CalcJobNode, info: Mapping[str, Any]) -> ImpurityCluster:
    """The sites of a write-out with the impurities in place.

    :param writeout: the calculation that wrote out the host's Green function.
    :param info: ``impurity_info`` of the impurities.
    :raises ValueError: it is no write-out, or the impurities do not fit into it.
    """
    name = f'KkrCalculation<{writeout.pk}>'
    try:
        written = writeout.inputs.impurity_info.get_dict()
        with writeout.outputs.retrieved.base.repository.as_path(SCOEF) as path:
            cluster = read_scoef(path)
    except (NotExistent, FileNotFoundError) as error:
        raise ValueError(
            f"{name} is not a finished write-out of a host's Green function: it has no impurity_info or no {SCOEF}"
        ) from error
    mismatch = sites_mismatch(info, written, cluster)
    if mismatch:
        raise ValueError(
            f'host and cluster do not match: {mismatch}. Take impurity_info of {name} with another Zimp, or another '
            'write-out'
        )
    if info.get('Zimp') is None:
        raise ValueError('impurity_info has no Zimp, the nuclear charges of the impurities')
    return cluster.with_impurities(info['Zimp'], info.get('Rimp_rel', [[0.0, 0.0, 0.0]]))


@dataclass(frozen=True)
class WantedWriteout:
    """A write-out that is needed: shared with others where there is one, by aiida-kkr's workchain where there is none.

    :param host: remote folder of the converged host.
    :param impurity_info: of the impurities; which elements they are does not matter.
    :param contour: parameters of KKRhost that differ from the host's.
    :param retrieve: whether the Green function has to be in the retrieved folder. If not, it may be, or may lie on the
        computer of KKRimp.
    :param computer: the computer of KKRimp.
    """

    kkr: orm.AbstractCode
    host: orm.RemoteData
    impurity_info: orm.Dict
    options: orm.Dict
    contour: orm.Dict | None
    retrieve: bool
    computer: orm.Computer | None

    @classmethod
    def of_inputs(cls, inputs: AttributesFrozendict) -> WantedWriteout:
        """The write-out that the inputs of the workchain ask for."""
        return cls(
            kkr=inputs.kkr,
            host=inputs.host,
            impurity_info=inputs.impurity_info,
            options=inputs.host_options,
            contour=inputs.get('params_kkr_overwrite'),
            retrieve=inputs.retrieve_kkrflex.value,
            computer=inputs.code.computer,
        )

    def find(self) -> orm.WorkChainNode | None:
        """A write-out of the same host, cluster and contour, finished or under way; None if there is none."""
        query = orm.QueryBuilder()
        query.append(orm.RemoteData, filters={'id': self.host.pk}, tag='host')
        query.append(
            orm.WorkChainNode,
            with_incoming='host',
            edge_filters={'label': 'remote_data'},
            filters={'process_type': kkr_flex_wc.build_process_type()},
            project='*',
            tag='writeout',
        )
        query.order_by({'writeout': {'id': 'asc'}})
        found = [node for node in query.all(flat=True) if self._is_served_by(node)]
        return min(found, key=lambda node: not node.is_finished_ok, default=None)

    def builder(self) -> ProcessBuilder:
        """aiida-kkr's workchain that writes out the host's Green function."""
        builder = kkr_flex_wc.get_builder()
        builder.kkr = self.kkr
        builder.remote_data = self.host
        builder.impurity_info = self.impurity_info
        builder.options = self.options
        builder.wf_parameters = orm.Dict({} if self.retrieve else {'retrieve_kkrflex': False})
        if self.contour is not None:
            builder.params_kkr_overwrite = self.contour
        builder.metadata.call_link_label = 'host_writeout'
        return builder

    def _is_served_by(self, node: orm.WorkChainNode) -> bool:
        if node.is_terminated and not node.is_finished_ok:
            return False
        wishes = _values(node, 'wf_parameters')
        same_host = not (wishes.get('dos_run') or wishes.get('ef_shift')) and (
            _values(node, 'params_kkr_overwrite') == (self.contour.get_dict() if self.contour is not None else {})
        )
        same_sites = sites_asked(node.inputs.impurity_info.get_dict()) == sites_asked(self.impurity_info.get_dict())
        on_computer = self.computer is not None and node.inputs.kkr.computer.pk == self.computer.pk
        at_hand = wishes.get('retrieve_kkrflex', True) or (not self.retrieve and on_computer)
        return same_host and same_sites and at_hand


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Keep the other daemon workers from looking for a write-out, or from submitting one, in the meantime."""
    with (Path(get_config().dirpath) / 'mlkkr-writeout.lock').open('w') as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _values(node: orm.WorkChainNode, port: str) -> dict[str, Any]:
    return node.inputs[port].get_dict() if port in node.inputs else {}
