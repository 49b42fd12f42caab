"""Trainings with restarts, and the search for the best model."""

from aiida_mlkkr.workflows.train.base import TrainBaseWorkChain
from aiida_mlkkr.workflows.train.candidates import grid
from aiida_mlkkr.workflows.train.workchain import SurrogateTrainWorkChain

__all__ = ['SurrogateTrainWorkChain', 'TrainBaseWorkChain', 'grid']
