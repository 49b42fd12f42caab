"""Finished impurity calculations of a database, found and trained on."""

from aiida_mlkkr.query.find import find_impurities as find_impurities
from aiida_mlkkr.query.impurity import Dropped as Dropped
from aiida_mlkkr.query.impurity import FinishedImpurity as FinishedImpurity
from aiida_mlkkr.query.impurity import Found as Found
from aiida_mlkkr.query.impurity import QueryError as QueryError
from aiida_mlkkr.query.train import check_one_kind as check_one_kind
from aiida_mlkkr.query.train import impurity_shards as impurity_shards
from aiida_mlkkr.query.train import left_out as left_out
from aiida_mlkkr.query.train import train_emulator as train_emulator
from aiida_mlkkr.query.train import train_on as train_on
