"""Inputs of ``mlkkr.cluster`` for pairs: what all have in common, and what each one adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiida import orm

from aiida_mlkkr.workflows.cluster import KkrClusterWorkChain
from aiida_mlkkr.workflows.protocols import merged

OF_PAIR: Final = (
    'singles',
    'scf.impurity_info',
    'scf.host',
    'scf.host_greenfunction',
    'scf.startpot',
    'scf.magnetic_moments',
    'scf.voronoi',
)
"""Inputs that are not common to all pairs. Their moments begin parallel, and whatever becomes of them is taken."""

Single = Mapping[str, orm.Data]
"""A converged impurity alone in the host, as the port ``singles`` of ``mlkkr.cluster`` takes it."""


def common_inputs(
    code: orm.AbstractCode,
    kkr: orm.AbstractCode,
    host: orm.RemoteData,
    *,
    protocol: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    **inputs: Any,
) -> dict[str, Any]:
    """What all pairs in a host have in common.

    :param inputs: ``emulator`` and ``options`` of the builder of ``mlkkr.cluster``.
    :raises ValueError: the codes do not fit the host.
    """
    some_pair = [{'element': 0}, {'element': 0, 'cell': (1, 0, 0)}]
    builder = KkrClusterWorkChain.get_builder_from_protocol(
        code,
        some_pair,
        host=host,
        kkr=kkr,
        magnetic_state='free',
        protocol=protocol,
        overrides=merged({'scf': {'scf': {'clean_workdir': True}}}, overrides or {}),
        **inputs,
    )
    found = builder._inputs(prune=True)
    own = {name.removeprefix('scf.') for name in OF_PAIR}
    return {
        **{name: value for name, value in found.items() if name not in own},
        'scf': {name: value for name, value in found['scf'].items() if name not in own},
    }


def pair_inputs(
    common: Mapping[str, Any], host: orm.RemoteData, info: Mapping[str, Any], singles: Mapping[int, Single]
) -> dict[str, Any]:
    """The inputs for one pair.

    :param info: ``impurity_info`` of the pair.
    :param singles: by nuclear charge; used if they are there for both elements.
    """
    charges = {round(z) for z in info['Zimp']}
    scf = {**common['scf'], 'host': host, 'impurity_info': orm.Dict(dict(info))}
    if not charges <= singles.keys():
        return {**common, 'scf': scf}
    scf['schedule'] = orm.Dict(_from_singles(scf['schedule'].get_dict()))
    return {**common, 'scf': scf, 'singles': {f'Z{z}': dict(singles[z]) for z in sorted(charges)}}


def _from_singles(schedule: Mapping[str, Any]) -> dict[str, Any]:
    """The last stage, without a field: the rest is for starts that are farther off."""
    return {
        'name': f'{schedule["name"]}, from singles',
        'stages': schedule['stages'][-1:],
        'initial_field': [0.0, 0],
    }
