"""A builder of the exchange of many pairs from a protocol and a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_mlkkr.calculations.folders import lattice_of
from aiida_mlkkr.data.exchange import ExchangeData
from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.kkr.arrangement import shell_sites
from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.workflows.exchange.clusters import common_inputs
from aiida_mlkkr.workflows.exchange.dimers import dimer_shape, element_pairs, planned_dimer, single_impurities
from aiida_mlkkr.workflows.exchange.ports import PROTOCOL
from aiida_mlkkr.workflows.exchange.validators import (
    validate_inputs,
    validate_pairs,
    validate_screening,
    validate_surrogate,
)
from aiida_mlkkr.workflows.imp_scf.writeout import kkr_calculation
from aiida_mlkkr.workflows.protocols import merged, protocol_inputs

Pairs = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Singles = Mapping[str, Mapping[str, orm.Data]] | Sequence[orm.ProcessNode]


class ProtocolMixin:
    """``get_builder_from_protocol`` of :class:`ExchangeWorkChain`."""

    @classmethod
    def get_builder_from_protocol(
        cls,
        host: orm.RemoteData,
        pairs: Pairs,
        *,
        code: orm.AbstractCode | None = None,
        kkr: orm.AbstractCode | None = None,
        singles: Singles = (),
        exchange: Mapping[str, ExchangeData] | Sequence[ExchangeData] = (),
        surrogate: SurrogateData | None = None,
        emulator: SurrogateData | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """A builder with the defaults of a protocol; its inputs are checked.

        :param host: remote folder of the converged host.
        :param pairs: ``{'elements': ['Mn', 'Cr'], 'shells': 3}``, all pairs of them on the first shells, or those of a
            list, around the atom ``centre`` of the cell; or a list with ``elements``, ``shell`` and ``centre`` of each.
        :param code: KKRimp, by JuKKR or the embedded solver; without it nothing is computed.
        :param kkr: KKRhost, which writes out the host.
        :param singles: finished processes of the impurities alone in the host, or their nodes by symbol.
        :param exchange: exchange of pairs in this host that is there already.
        :param surrogate: a trained model of exchange, taken where it is sure enough.
        :param emulator: a trained model of potentials, for the start of the clusters.
        :param protocol: ``balanced``, ``precise`` or ``fast``.
        :param overrides: nested values that replace those of the protocol; ``cluster`` goes to ``mlkkr.cluster``.
        :param options: options of the KKRimp calculations: ``resources``, ``queue_name``, ``account`` …
        :raises ValueError: there is no such protocol, element or shell, or the inputs do not fit together.
        """
        values = protocol_inputs(PROTOCOL, protocol, overrides)
        of_cluster = values.pop('cluster', {})
        screening = values.pop('screening', None) or protocol_inputs('cluster', protocol)['screening']
        builder = cls.get_builder()  # type: ignore[attr-defined]
        builder.host = host
        builder.pairs = orm.List(_listed(host, pairs))
        builder.screening = orm.Dict(dict(screening))
        for name, value in values.items():
            builder[name] = value
        if code is not None:
            if kkr is None:
                raise ValueError('kkr is missing: KKRhost, by JuKKR or mlkkr-kkrhost, which writes out the host')
            own = merged({'screening': screening}, of_cluster)
            builder.cluster = common_inputs(
                code, kkr, host, protocol=protocol, overrides=own, emulator=emulator, options=options
            )
        given = {'singles': _singles(singles), 'exchange': _labelled(exchange), 'surrogate': surrogate}
        for name, found in given.items():
            if found:
                builder[name] = found
        _check(builder)
        return builder


def _listed(host: orm.RemoteData, pairs: Pairs) -> list[dict[str, Any]]:
    """The pairs one by one."""
    if not isinstance(pairs, Mapping):
        return [dict(pair) for pair in pairs]
    if unknown := pairs.keys() - {'elements', 'shells', 'centre'}:
        raise ValueError(f'pairs: elements, shells and centre say which, not {", ".join(sorted(unknown))}')
    elements, shells, centre = pairs['elements'], pairs.get('shells', 1), pairs.get('centre', 0)
    numbers = range(1, shells + 1) if isinstance(shells, int) else shells
    lattice = lattice_of(kkr_calculation(host).outputs.retrieved)
    listed = []
    for shell in numbers:
        equal = shell_sites(lattice, shell, centre)[0].site == centre
        together = element_pairs(elements, equal)
        listed += [{'elements': list(pair), 'shell': shell, 'centre': centre} for pair in together]
    return listed


def _singles(singles: Singles) -> dict[str, dict[str, orm.Data]]:
    """By symbol."""
    if isinstance(singles, Mapping):
        return {name: dict(parts) for name, parts in singles.items()}
    return {symbol(z): impurity.inputs for z, impurity in single_impurities(singles).items()}


def _labelled(exchange: Mapping[str, ExchangeData] | Sequence[ExchangeData]) -> dict[str, ExchangeData]:
    if isinstance(exchange, Mapping):
        return dict(exchange)
    return {f'exchange_{number:03d}': node for number, node in enumerate(exchange, start=1)}


def _check(builder: ProcessBuilder) -> None:
    """The inputs, and whether the pairs are in the host.

    :raises ValueError: they are not.
    """
    inputs = builder._inputs(prune=True)
    message = (
        validate_pairs(inputs['pairs'], None)
        or validate_screening(inputs['screening'], None)
        or validate_surrogate(inputs.get('surrogate'), None)
        or validate_inputs(inputs, None)
    )
    if message:
        raise ValueError(message)
    for pair in inputs['pairs']:
        shape = dimer_shape(inputs['host'], pair['shell'], {'shells': 0, 'radius': None}, pair.get('centre', 0))
        planned_dimer(shape, pair['elements'])
