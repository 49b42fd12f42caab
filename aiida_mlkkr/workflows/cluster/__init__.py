"""Clusters of impurities: their self-consistency and the exchange between them."""

from aiida_mlkkr.workflows.cluster.workchain import KkrClusterWorkChain

__all__ = ['KkrClusterWorkChain']
