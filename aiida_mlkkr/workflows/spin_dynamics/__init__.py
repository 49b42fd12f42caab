"""Spin models brought to temperatures: ground state, magnetisation, transition, dynamics."""

from aiida_mlkkr.workflows.spin_dynamics.base import MonteCarloBaseWorkChain
from aiida_mlkkr.workflows.spin_dynamics.workchain import SpinDynamicsWorkChain

__all__ = ['MonteCarloBaseWorkChain', 'SpinDynamicsWorkChain']
