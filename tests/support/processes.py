"""Calculations and workchains as tests run them."""

from __future__ import annotations


def calculation(entry_point: str, **inputs):
    """A builder of a calculation, with inputs."""
    from aiida.plugins import CalculationFactory

    builder = CalculationFactory(entry_point).get_builder()
    for name, value in inputs.items():
        builder[name] = value
    return builder


def run(builder):
    """The node of a process that has been run here."""
    from aiida.engine import run_get_node

    return run_get_node(builder)[1]
