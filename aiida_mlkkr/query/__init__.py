"""Finished impurity calculations of a database, found and trained on."""

from aiida_mlkkr.query.find import find_impurities
from aiida_mlkkr.query.impurity import Dropped, FinishedImpurity, Found, QueryError
from aiida_mlkkr.query.train import impurity_shards, left_out, train_emulator, train_on

__all__ = [
    'Dropped',
    'FinishedImpurity',
    'Found',
    'QueryError',
    'find_impurities',
    'impurity_shards',
    'left_out',
    'train_emulator',
    'train_on',
]
