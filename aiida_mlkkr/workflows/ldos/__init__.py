"""Local densities of states of impurities."""

from aiida_mlkkr.workflows.ldos.workchain import LdosWorkChain

__all__ = ['LdosWorkChain']
