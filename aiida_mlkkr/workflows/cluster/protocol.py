"""A builder of a cluster from a protocol and a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_mlkkr.calculations.folders import lattice_of
from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.kkr.arrangement import Screening, joint_cluster, place_in
from aiida_mlkkr.kkr.cluster import ImpurityCluster, read_scoef
from aiida_mlkkr.kkr.patterns import Wish, arranged
from aiida_mlkkr.solver.start import free_moment
from aiida_mlkkr.workflows.cluster.ports import PROTOCOL
from aiida_mlkkr.workflows.cluster.validators import validate_inputs
from aiida_mlkkr.workflows.imp_scf.workchain import KkrImpScfWorkChain
from aiida_mlkkr.workflows.imp_scf.writeout import SCOEF, kkr_calculation
from aiida_mlkkr.workflows.protocols import merged, protocol_inputs
from aiida_mlkkr.workflows.singles import given_impurities

_PASSED_ON: Final = ('code', 'settings_LDAU', 'rimpshift', 'host_Greenfunction_folder_Efshift', 'metadata')


class ProtocolMixin:
    """``get_builder_from_protocol`` of :class:`KkrClusterWorkChain`."""

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        impurities: Wish | Sequence[Wish],
        *,
        host: orm.RemoteData | None = None,
        kkr: orm.AbstractCode | None = None,
        host_greenfunction: orm.RemoteData | None = None,
        singles: Sequence[orm.ProcessNode] = (),
        emulator: SurrogateData | None = None,
        magnetic_state: str | Sequence[int] | None = None,
        exchange_code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """A builder with the defaults of a protocol; its inputs are checked.

        :param code: KKRimp, by JuKKR or the embedded solver.
        :param impurities: for each impurity ``element``, ``site`` (atom of the host's cell, from 0) and ``cell`` (three
            integers), or a pattern, ``{'pattern': 'dimer', 'shell': 1, 'elements': ['Mn', 'Fe']}``; see
            :func:`aiida_mlkkr.kkr.patterns.arranged`. Lengths are in Å.
        :param host: remote folder of the converged host, with ``kkr``, the code that writes out its Green function.
        :param host_greenfunction: instead, remote folder of a write-out; the impurities are put on its sites.
        :param singles: finished processes (``KkrImpScfWorkChain``, ``kkr_imp_wc``, ``KkrimpCalculation``) of the
            impurities alone in the host.
        :param emulator: a trained model, for the start that it predicts.
        :param magnetic_state: ``ferro``, ``antiferro`` (alternating in the order of the impurities), the sign of each
            moment, 0 for none, or ``free``: moments that begin parallel, and whatever becomes of them.
        :param exchange_code: KKRimp for the exchange tensors, if it is another one.
        :param protocol: ``balanced``, ``precise`` or ``fast``.
        :param overrides: nested values that replace those of the protocol; ``scf`` goes to ``mlkkr.imp_scf``.
        :param options: options of the KKRimp calculations: ``resources``, ``queue_name``, ``account`` …
        :raises ValueError: there is no such protocol or element, or the inputs do not fit together.
        """
        values = protocol_inputs(PROTOCOL, protocol, overrides)
        cluster = _cluster(impurities, values['screening'], host, host_greenfunction)
        signs = _signs(values['magnetic_state'] if magnetic_state is None else magnetic_state, cluster)
        scf = KkrImpScfWorkChain.get_builder_from_protocol(
            code,
            cluster.impurity_info(),
            host=host,
            kkr=kkr,
            host_greenfunction=host_greenfunction,
            emulator=emulator,
            magnetic_moments=None if signs is None else _moments(signs, cluster),
            protocol=protocol,
            overrides=values['scf'],
            options=options,
        )._inputs(prune=True)
        builder = cls.get_builder()  # type: ignore[attr-defined]
        builder.scf = scf
        if singles:
            builder.singles = _singles(singles)
        if values['exchange'] and len(cluster.z_impurity) > 1:
            builder.exchange = _exchange(scf['scf'], exchange_code or code)
        message = validate_inputs(builder._inputs(prune=True), None)
        if message:
            raise ValueError(message)
        return builder


def _cluster(
    impurities: Wish | Sequence[Wish],
    screening: Mapping[str, Any],
    host: orm.RemoteData | None,
    host_greenfunction: orm.RemoteData | None,
) -> ImpurityCluster:
    """The impurities among the sites that a write-out has, or with those that screen them."""
    folder = host_greenfunction or host
    if folder is None:
        raise ValueError(
            'give host (the remote folder of a converged host calculation) and kkr, or host_greenfunction (that of a '
            'write-out)'
        )
    calculation = kkr_calculation(folder)
    lattice = lattice_of(calculation.outputs.retrieved)
    if host_greenfunction is None:
        lattice = replace(lattice, alat=None)  # aiida-kkr's, in which it expects the sites
    sites, charges = arranged(lattice, impurities)
    if host_greenfunction is None:
        return joint_cluster(lattice, sites, charges, Screening(**screening))
    with calculation.outputs.retrieved.base.repository.as_path(SCOEF) as path:
        cluster = place_in(read_scoef(path), lattice, sites, charges)
    changed = np.flatnonzero(cluster.z_table != lattice.z[cluster.layer - 1]).tolist()
    left = [site for site in changed if site not in cluster.impurity_sites]
    if left:
        raise ValueError(
            f'the write-out was made for an impurity on its site {left[0] + 1} as well, where none is wanted now; give '
            'the host itself, and the code that writes out its Green function'
        )
    return cluster


def _signs(state: str | Sequence[int], cluster: ImpurityCluster) -> list[int] | None:
    """The sign of each moment; None if it is left open."""
    number = len(cluster.z_impurity)
    if state == 'free':
        return None
    if state == 'ferro':
        return [1] * number
    if state == 'antiferro':
        return [1 - 2 * (k % 2) for k in range(number)]
    if isinstance(state, str) or len(state) != number or any(sign not in (-1, 0, 1) for sign in state):
        raise ValueError(
            f'magnetic_state: ferro, antiferro, free, or one of 1, -1 and 0 for each of the {number} impurities, not '
            f'{state}'
        )
    return list(state)


def _moments(signs: Sequence[int], cluster: ImpurityCluster) -> list[float]:
    """Those of the free atoms."""
    return [sign * (free_moment(z) if z else 0.0) for sign, z in zip(signs, cluster.z_impurity, strict=True)]


def _singles(processes: Sequence[orm.ProcessNode]) -> dict[str, dict[str, orm.Data]]:
    """Single impurities as the port of that name takes them."""
    return {f'single_{number:03d}': one.inputs for number, one in enumerate(given_impurities(processes), start=1)}


def _exchange(scf: Mapping[str, Any], code: orm.AbstractCode) -> dict[str, Any]:
    """Inputs of the calculation of exchange: those of the self-consistency without its settings."""
    kkrimp = {key: value for key, value in {**scf['kkrimp'], 'code': code}.items() if key in _PASSED_ON}
    if code.with_mpi is not None:
        kkrimp['metadata'] = merged(kkrimp['metadata'], {'options': {'withmpi': code.with_mpi}})
    return {**scf, 'kkrimp': kkrimp}
