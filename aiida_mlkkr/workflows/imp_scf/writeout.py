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
from aiida.engine import ProcessBuilder, WorkChain
from aiida.manage.configuration import get_config
from aiida_kkr.calculations import KkrCalculation
from aiida_kkr.workflows import kkr_flex_wc
from plumpy.utils import AttributesFrozendict

from aiida_mlkkr.kkr.cluster import ImpurityCluster, read_scoef
from aiida_mlkkr.kkr.impurity_info import sites_asked, sites_mismatch
from aiida_mlkkr.workflows.host_writeout.workchain import PROTOCOL as HOST_WRITEOUT
from aiida_mlkkr.workflows.host_writeout.workchain import HostWriteoutWorkChain
from aiida_mlkkr.workflows.protocols import protocol_inputs

SCOEF: Final = 'scoef'
AIIDA_KKR_OPTIONS: Final = ('resources', 'withmpi', 'max_wallclock_seconds', 'queue_name', 'custom_scheduler_commands')
"""The options that aiida-kkr's workchains pass on."""


def kkr_calculation(folder: orm.Node) -> orm.CalcJobNode:
    """The calculation of a remote folder.

    :raises ValueError: it is not one of KKRhost.
    """
    if not isinstance(folder, orm.RemoteData):
        raise ValueError(f'{folder} is not a remote folder: take outputs.remote_folder of the calculation')
    creator = folder.creator
    if creator is None or creator.process_class is not KkrCalculation:
        raise ValueError(f'RemoteData<{folder.pk}> is not the remote folder of a KkrCalculation')
    return creator


def remote_folder(node: orm.Node) -> orm.Node:
    """What a node of a host stands for: the remote folder of its calculation, or of its write-out; or the node itself.

    :param node: that folder, a calculation of KKRhost, or a workchain that converges or writes out a host.
    """
    names = ('GF_host_remote', 'host_greenfunction', 'last_RemoteData', 'remote_folder')
    outputs = node.outputs if isinstance(node, orm.ProcessNode) else {}
    return next((outputs[name] for name in names if name in outputs), node)


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
class _Chain:
    """A workchain that writes out a host.

    :param host: its input for the converged host; ``overwrite`` that for parameters that differ from the host's.
    :param green: its output for the remote folder of the Green function.
    """

    process: type[WorkChain]
    host: str
    overwrite: str
    green: str


_OURS: Final = _Chain(HostWriteoutWorkChain, 'host', 'overwrite', 'host_greenfunction')
_AIIDA_KKR: Final = _Chain(kkr_flex_wc, 'remote_data', 'params_kkr_overwrite', 'GF_host_remote')


def green_function(writeout: orm.WorkChainNode) -> orm.RemoteData:
    """Remote folder of the Green function of a finished write-out, by our chain or aiida-kkr's."""
    return next(writeout.outputs[chain.green] for chain in (_OURS, _AIIDA_KKR) if chain.green in writeout.outputs)


@dataclass(frozen=True)
class WantedWriteout:
    """A write-out that is needed: one that there is, or a new one by ``mlkkr.host_writeout``.

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
        """A write-out of the same host, cluster and contour, finished or under way; None if there is none.

        One by aiida-kkr's chain, on the k meshes of the host's calculation, serves as well.
        """
        found = [node for chain in (_OURS, _AIIDA_KKR) for node in self._of(chain) if self._is_served_by(node, chain)]
        return min(found, key=lambda node: (not node.is_finished_ok, node.pk), default=None)

    def builder(self) -> ProcessBuilder:
        """The workchain that writes out the host's Green function."""
        builder = HostWriteoutWorkChain.get_builder_from_protocol(
            self.kkr,
            self.host,
            self.impurity_info,
            overrides={'overwrite': self._contour},
            options=self.options.get_dict(),
        )
        builder['kkr']['retrieve_kkrflex'] = orm.Bool(self.retrieve)
        builder['metadata']['call_link_label'] = 'host_writeout'
        return builder

    def _of(self, chain: _Chain) -> list[orm.WorkChainNode]:
        query = orm.QueryBuilder()
        query.append(orm.RemoteData, filters={'id': self.host.pk}, tag='host')
        query.append(
            orm.WorkChainNode,
            with_incoming='host',
            edge_filters={'label': chain.host},
            filters={'process_type': chain.process.build_process_type()},
        )
        return query.all(flat=True)

    def _is_served_by(self, node: orm.WorkChainNode, chain: _Chain) -> bool:
        if node.is_terminated and not node.is_finished_ok:
            return False
        inputs = node.inputs
        same_sites = sites_asked(inputs.impurity_info.get_dict()) == sites_asked(self.impurity_info.get_dict())
        overwrite = inputs[chain.overwrite].get_dict() if chain.overwrite in inputs else {}
        if chain is _OURS:
            wanted = protocol_inputs(HOST_WRITEOUT, overrides={'overwrite': self._contour})['overwrite']
            retrieved, kkr = inputs.kkr.retrieve_kkrflex.value, inputs.kkr.code
            same_contour = overwrite == wanted
        else:
            wishes = inputs.wf_parameters.get_dict() if 'wf_parameters' in inputs else {}
            retrieved, kkr = wishes.get('retrieve_kkrflex', True), inputs.kkr
            same_contour = overwrite == self._contour and not (wishes.get('dos_run') or wishes.get('ef_shift'))
        on_computer = self.computer is not None and kkr.computer.pk == self.computer.pk
        return same_contour and same_sites and (retrieved or (not self.retrieve and on_computer))

    @property
    def _contour(self) -> dict[str, Any]:
        return self.contour.get_dict() if self.contour is not None else {}


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Keep the other daemon workers from looking for a write-out, or from submitting one, in the meantime."""
    with (Path(get_config().dirpath) / 'mlkkr-writeout.lock').open('w') as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
