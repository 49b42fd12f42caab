"""A builder of the whole chain from a protocol and a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder
from aiida_kkr.tools.find_parent import find_parent_structure

from aiida_mlkkr.data.exchange import ExchangeData
from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.workflows.exchange.workchain import ExchangeWorkChain
from aiida_mlkkr.workflows.imp_scf.workchain import KkrImpScfWorkChain
from aiida_mlkkr.workflows.multiscale.ports import OF_DYNAMICS, OF_EXCHANGE, OF_SINGLE, PROTOCOL
from aiida_mlkkr.workflows.multiscale.validators import validate_inputs, wishes_fault
from aiida_mlkkr.workflows.multiscale.wishes import elements_of, labelled, single_info, wanted_pairs
from aiida_mlkkr.workflows.protocols import merged, protocol_inputs
from aiida_mlkkr.workflows.singles import given_impurities
from aiida_mlkkr.workflows.spin_dynamics.workchain import SpinDynamicsWorkChain

Inputs = dict[str, Any]


class ProtocolMixin:
    """``get_builder_from_protocol`` of :class:`MultiscaleWorkChain`."""

    @classmethod
    def get_builder_from_protocol(
        cls,
        host: orm.RemoteData,
        compositions: Mapping[str, Mapping[str, float]] | Sequence[Mapping[str, float]],
        monte_carlo: orm.AbstractCode,
        *,
        code: orm.AbstractCode | None = None,
        kkr: orm.AbstractCode | None = None,
        spirit: orm.AbstractCode | None = None,
        singles: Sequence[orm.ProcessNode] = (),
        exchange: Mapping[str, ExchangeData] | Sequence[ExchangeData] = (),
        surrogate: SurrogateData | None = None,
        emulator: SurrogateData | None = None,
        seed: int = 0,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """A builder with the defaults of a protocol; its inputs are checked.

        :param host: remote folder of the converged host.
        :param compositions: shares of the sites by element, one or several, with labels or without:
            ``{'Mn5': {'Mn': 0.05}}``.
        :param monte_carlo: ``mlkkr-monte-carlo``.
        :param code: KKRimp; without it nothing is computed, and all exchange has to be given, found or predicted.
        :param kkr: KKRhost, which writes out the host.
        :param spirit: Spirit, for the minimum of the energy and for dynamics.
        :param singles: finished processes of impurities alone in the host.
        :param exchange: exchange of pairs in this host that is there already.
        :param surrogate: a trained model of exchange, taken where it is sure enough.
        :param emulator: a trained model of potentials, for the starts.
        :param seed: of all random numbers.
        :param protocol: ``balanced`` or ``fast``.
        :param overrides: nested values that replace those of the protocol; ``single``, ``exchange`` and
            ``spin_dynamics`` go to the workchains of these names.
        :param options: options of the calculations of impurities: ``resources``, ``queue_name``, ``account`` …
        :raises ValueError: there is no such protocol, or the inputs do not fit together.
        """
        values = protocol_inputs(PROTOCOL, protocol, overrides)
        wanted, dilution = labelled(compositions), {'seed': seed, **values['dilution']}
        if message := wishes_fault(host, wanted, dilution):
            raise ValueError(message)
        centre = dilution.get('sublattice', [0])[0]
        builder = cls.get_builder()  # type: ignore[attr-defined]
        builder.host, builder.structure = host, find_parent_structure(host)[0]
        builder.compositions, builder.dilution = orm.Dict(wanted), orm.Dict(dilution)
        for name in ('shells', 'samples', 'max_parallel', 'search'):
            builder[name] = orm.to_aiida_type(values[name])
        shared = {'kkr': kkr, 'emulator': emulator, 'protocol': protocol, 'options': options}
        if code is not None:
            info = single_info(host, elements_of(wanted)[0], centre, values['screening'])
            single = KkrImpScfWorkChain.get_builder_from_protocol(
                code, info, host=host, overrides=values['single'], **shared
            )
            builder.single = _without(single, OF_SINGLE)
        pairs = ExchangeWorkChain.get_builder_from_protocol(
            host,
            wanted_pairs(host, wanted.values(), values['shells'], centre),
            code=code,
            exchange=exchange,
            surrogate=surrogate,
            overrides=merged({'screening': values['screening']}, values['exchange']),
            **shared,
        )
        builder.exchange = _without(pairs, OF_EXCHANGE)
        dynamics = SpinDynamicsWorkChain.get_builder_from_protocol(
            monte_carlo, None, spirit=spirit, seed=seed, protocol=protocol, overrides=values['spin_dynamics']
        )
        builder.spin_dynamics = _without(dynamics, OF_DYNAMICS)
        if singles:
            builder.singles = _singles(singles)
        if message := validate_inputs(builder._inputs(prune=True), None):
            raise ValueError(message)
        return builder


def _without(builder: ProcessBuilder, names: Sequence[str]) -> Inputs:
    """What a builder has, but for the inputs that the chain fills in later."""
    return {name: value for name, value in builder._inputs(prune=True).items() if name not in names}


def _singles(processes: Sequence[orm.ProcessNode]) -> dict[str, dict[str, orm.Data]]:
    """By element."""
    found = given_impurities(processes)
    several = [one.label for one in found if len(one.elements) > 1]
    if several:
        raise ValueError(f'singles: {", ".join(several)}: these are several impurities, not one alone')
    return {one.elements[0]: one.inputs for one in found}
