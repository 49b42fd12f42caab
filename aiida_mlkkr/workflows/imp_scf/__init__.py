"""The self-consistency of impurities in a host."""

from aiida_mlkkr.workflows.imp_scf.workchain import KkrImpScfWorkChain

__all__ = ['KkrImpScfWorkChain']
