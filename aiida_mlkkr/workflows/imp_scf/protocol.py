"""A builder of the impurity self-consistency from a protocol and a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.kkr.patterns import nuclear_charge
from aiida_mlkkr.kkr.schedule import schedule_values
from aiida_mlkkr.workflows.imp_scf.ports import PROTOCOL
from aiida_mlkkr.workflows.imp_scf.validators import validate_inputs
from aiida_mlkkr.workflows.imp_scf.writeout import AIIDA_KKR_OPTIONS, kkr_calculation
from aiida_mlkkr.workflows.kkrimp.inputs import restart_inputs
from aiida_mlkkr.workflows.protocols import protocol_inputs, read_protocols

Impurity = str | int | float


class ProtocolMixin:
    """``get_builder_from_protocol`` of :class:`KkrImpScfWorkChain`."""

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        impurity: Impurity | Sequence[Impurity] | Mapping[str, Any] | orm.Dict,
        *,
        host_greenfunction: orm.RemoteData | None = None,
        host: orm.RemoteData | None = None,
        kkr: orm.AbstractCode | None = None,
        voronoi: orm.AbstractCode | None = None,
        emulator: SurrogateData | None = None,
        startpot: orm.SinglefileData | None = None,
        magnetic_moments: float | Sequence[float] | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        **inputs: Any,
    ) -> ProcessBuilder:
        """A builder with the defaults of a protocol; its inputs are checked.

        :param code: KKRimp, by JuKKR or the embedded solver.
        :param impurity: element (symbol or nuclear charge) of the impurity in the cluster of the write-out; a list for
            several; or a whole ``impurity_info``, which is needed with ``host``.
        :param host_greenfunction: remote folder of the write-out of the host's Green function.
        :param host: instead, remote folder of the converged host, with ``kkr``, the code that writes it out.
        :param voronoi: JuKKR's voronoi code, for its start.
        :param emulator: a trained model, for the start that it predicts.
        :param startpot: a start potential.
        :param magnetic_moments: the moment asked for on each impurity, in Bohr magnetons.
        :param protocol: ``balanced``, ``precise`` or ``fast``.
        :param overrides: nested values that replace those of the protocol; ``schedule`` is a name of
            ``protocols/schedules.yaml`` or the whole of one, ``scf`` goes to the restarts and to KKRimp.
        :param options: options of the KKRimp calculations: ``resources``, ``queue_name``, ``account`` …
        :param inputs: other inputs of the workchain.
        :raises ValueError: there is no such protocol, schedule or element, or the inputs do not fit together.
        """
        values = protocol_inputs(PROTOCOL, protocol, overrides)
        builder = cls.get_builder()  # type: ignore[attr-defined]
        builder.code = code
        builder.impurity_info = _impurity_info(impurity, host_greenfunction)
        builder.schedule = orm.Dict(_schedule(values.pop('schedule'), values.pop('convergence')))
        scf = restart_inputs(code, options, protocol, values.pop('scf', {}))
        builder.scf = scf
        if kkr is not None or voronoi is not None:
            values = {'host_options': _host_options(scf['kkrimp']['metadata']['options'], kkr)} | values
        given = {
            'host_greenfunction': host_greenfunction,
            'host': host,
            'kkr': kkr,
            'voronoi': voronoi,
            'emulator': emulator,
            'startpot': startpot,
            'magnetic_moments': None if magnetic_moments is None else np.atleast_1d(magnetic_moments).tolist(),
        }
        for name, value in (values | given | inputs).items():
            if value is not None:
                builder[name] = value
        message = validate_inputs(builder._inputs(prune=True), None)
        if message:
            raise ValueError(message)
        return builder


def _impurity_info(
    impurity: Impurity | Sequence[Impurity] | Mapping[str, Any] | orm.Dict, writeout: orm.RemoteData | None
) -> orm.Dict:
    """``impurity_info`` of elements in the cluster of a write-out, or the one given."""
    if isinstance(impurity, orm.Dict):
        return impurity
    if isinstance(impurity, Mapping):
        return orm.Dict(dict(impurity))
    if writeout is None:
        raise ValueError(
            'with a host that is still to be written out, impurity is an impurity_info: Zimp, and the sites by Rcut '
            '(in Angstrom) and ilayer_center, or by imp_cls'
        )
    elements = [impurity] if isinstance(impurity, str | int | float) else impurity
    written = kkr_calculation(writeout).inputs
    if 'impurity_info' not in written:
        raise ValueError(f"RemoteData<{writeout.pk}> is not that of a write-out of a host's Green function")
    charges = [float(nuclear_charge(element) if isinstance(element, str) else element) for element in elements]
    return orm.Dict({**written.impurity_info.get_dict(), 'Zimp': charges})


def _schedule(schedule: str | Mapping[str, Any], convergence: float) -> dict[str, Any]:
    if isinstance(schedule, str):
        return schedule_values(read_protocols('schedules'), schedule, convergence)
    return dict(schedule)


def _host_options(options: Mapping[str, Any], kkr: orm.AbstractCode | None) -> dict[str, Any]:
    """Of the options of KKRimp those that aiida-kkr passes on; MPI as the code of KKRhost is registered with it."""
    passed = {key: options[key] for key in AIIDA_KKR_OPTIONS if key in options}
    return passed if kkr is None or kkr.with_mpi is None else {**passed, 'withmpi': kkr.with_mpi}
