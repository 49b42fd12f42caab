"""The whole chain: from a host and a few elements to the ordering of dilute magnets."""

from aiida_mlkkr.workflows.multiscale.workchain import MultiscaleWorkChain

__all__ = ['MultiscaleWorkChain']
