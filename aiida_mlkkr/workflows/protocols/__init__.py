"""Protocols: the default inputs of the WorkChains, one YAML file for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from aiida.orm import Data


def read_protocols(name: str) -> dict[str, Any]:
    """The content of the file ``<name>.yaml`` of this package."""
    return yaml.safe_load(files(__name__).joinpath(f'{name}.yaml').read_text(encoding='utf-8'))


def protocol_inputs(
    name: str, protocol: str | None = None, overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Default inputs of a WorkChain: its file's ``default_inputs``, the protocol's own values, the overrides.

    :param name: name of the file, without ``.yaml``.
    :param protocol: one of the file's ``protocols``; by default its ``default_protocol``.
    :param overrides: nested values that replace those of the protocol, key by key.
    :raises ValueError: the file has no such protocol.
    """
    content = read_protocols(name)
    protocol = protocol or content['default_protocol']
    if protocol not in content['protocols']:
        raise ValueError(f'there is no protocol {protocol}; there are {", ".join(content["protocols"])}')
    chosen = {key: value for key, value in content['protocols'][protocol].items() if key != 'description'}
    return merged(merged(content['default_inputs'], chosen), overrides or {})


def protocol_default(name: str, *keys: str) -> Callable[[], Data]:
    """The default of a port: a value of the default protocol.

    :param name: name of the file; ``keys`` lead to the value.
    """

    def default() -> Data:
        from aiida.orm import to_aiida_type  # the command line, which only names the protocols, starts without it

        value: Any = protocol_inputs(name)
        for key in keys:
            value = value[key]
        return to_aiida_type(value)

    return default


def merged(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of nested values in which the overrides replace what they name."""
    result = deepcopy(dict(values))
    for key, value in overrides.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else deepcopy(value)
    return result
