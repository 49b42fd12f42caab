"""The two sites of Mn-Mn in copper, a chain of every step in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from commands import shown

from ..cluster.conftest import pair as pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiida.engine import ProcessBuilder

ALONE = {
    'screening': {'shells': 0, 'radius': None},
    'shells': [1],
    'dilution': {'sizes': [[5, 5, 5]], 'configurations': 2},
}
QUICK = {
    'schedule': {'thermalisation': 100, 'measurement': 640, 'cooling': 50},
    'temperatures': {'values': [100.0, 400.0, 1600.0]},
}
MANGANESE = {'Mn20': {'Mn': 0.2}}


@pytest.fixture(scope='module')
def build(pair) -> Callable[..., ProcessBuilder]:
    """A function: a builder of the chain in the host of the pair, the impurity sites alone."""
    from aiida_mlkkr.demo.codes import monte_carlo_program
    from aiida_mlkkr.workflows.multiscale import MultiscaleWorkChain
    from aiida_mlkkr.workflows.protocols import merged

    def make(compositions: Any = MANGANESE, **inputs: Any) -> ProcessBuilder:
        overrides = merged({**ALONE, 'spin_dynamics': QUICK}, inputs.pop('overrides', {}))
        host = pair.writeout.inputs.parent_folder
        return MultiscaleWorkChain.get_builder_from_protocol(
            host, compositions, monte_carlo_program(), protocol='fast', overrides=overrides, **inputs
        )

    return make


@pytest.fixture
def run(aiida_profile):
    """A function: run a command in the profile; it returns its output."""

    def call(*words: str, code: int = 0) -> str:
        return shown(*words[:2], '-p', aiida_profile.name, *words[2:], code=code)

    return call
