"""The exchange of many pairs in a host: taken, predicted or computed."""

from aiida_mlkkr.workflows.exchange.workchain import ExchangeWorkChain

__all__ = ['ExchangeWorkChain']
