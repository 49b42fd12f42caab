"""A builder of the workchain of spin models from a protocol and a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_mlkkr.data.spin_model import SpinModelData
from aiida_mlkkr.workflows.protocols import merged, protocol_inputs
from aiida_mlkkr.workflows.spin_dynamics.base import PROTOCOL
from aiida_mlkkr.workflows.spin_dynamics.validators import validate_inputs


class ProtocolMixin:
    """``get_builder_from_protocol`` of :class:`SpinDynamicsWorkChain`."""

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        models: Mapping[str, SpinModelData] | None,
        *,
        spirit: orm.AbstractCode | None = None,
        seed: int = 0,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """A builder with the defaults of a protocol; its inputs are checked.

        :param code: ``mlkkr-monte-carlo`` on a computer.
        :param models: configurations of one composition, in boxes of one size or of several; None where a chain around
            this one gives them later.
        :param spirit: a Python with Spirit, for ``SpiritCalculation``; without it there is no dynamics.
        :param seed: of the random numbers of all simulations.
        :param protocol: ``balanced``, ``precise`` or ``fast``.
        :param overrides: nested values that replace those of the protocol.
        :param options: options of the simulations: ``resources``, ``queue_name``, ``account`` …
        :raises ValueError: there is no such protocol, or the inputs are not valid.
        """
        values = protocol_inputs(PROTOCOL, protocol, overrides)
        monte_carlo = {'metadata': {'options': {'withmpi': bool(code.with_mpi)}}}
        base = merged({'monte_carlo': monte_carlo}, values['base'])
        base['monte_carlo']['metadata']['options'] |= options or {}  # resources as a whole
        builder = cls.get_builder()  # type: ignore[attr-defined]
        builder.code = code
        if models is not None:
            builder.models = dict(models)
        builder.schedule = orm.Dict({'seed': seed, **values['schedule']})
        builder.temperatures = orm.Dict(values['temperatures'])
        builder.base = base
        if spirit is not None:
            given = {name: value for name, value in values['spirit'].items() if value is not None}
            builder.spirit = {'code': spirit, **given}
        message = validate_inputs(builder._inputs(prune=True), None)
        if message:
            raise ValueError(message)
        return builder
