"""The numbers of self-consistencies, read from their nodes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_mlkkr.demo.emulators import TrainedEmulator, duration
from aiida_mlkkr.demo.recipe import Recipe
from aiida_mlkkr.demo.results import Impurity, Prediction, ScfResult, Solution
from aiida_mlkkr.demo.runs import ScfRun, calculations_of, errors_of
from aiida_mlkkr.kkr.history import read_history
from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential
from aiida_mlkkr.kkr.run import LOG, POTENTIAL

if TYPE_CHECKING:
    from aiida.orm import CalcJobNode, SinglefileData, WorkChainNode

_FIRST_ITERATION = 1_000_000
"""Number of characters of a log that hold its first iteration."""


def impurity_of(recipe: Recipe, emulator: TrainedEmulator, runs: Sequence[ScfRun]) -> Impurity:
    """All results for one impurity."""
    done = [run for run in runs if run.recipe is recipe and run.has_result]
    predicted = (_prediction(run.node, emulator) for run in done if run.start == 'emulator' and run.node is not None)
    return Impurity(
        symbol=recipe.symbol,
        start=_potential(recipe.start_potential),
        jukkr=jukkrs_result(recipe),
        runs={(run.start, run.schedule): run_result(run.node) for run in done if run.node is not None},
        prediction=next((prediction for prediction in predicted if prediction is not None), None),
    )


def jukkrs_result(recipe: Recipe) -> ScfResult:
    """What JuKKR came to."""
    outputs = recipe.calculations[-1].outputs
    results = outputs.output_parameters.get_dict()
    content = outputs.retrieved.base.repository.get_object_content(POTENTIAL)
    solution = Solution(
        charges=np.asarray(results['total_charge_per_atom'], dtype=float),
        moment=float(results['magnetism_group']['total_spin_moment']),
        energy=float(results['total_energy_Ry']),
        potential=read_potential(io.StringIO(content)),
    )
    pks = tuple(node.pk for node in recipe.calculations if node.pk is not None)
    return ScfResult(pks, _errors(recipe.calculations), _seconds(recipe.calculations), solution)


def run_result(workchain: WorkChainNode) -> ScfResult:
    """What one of our workchains came to, converged or not."""
    results: dict[str, Any] = workchain.outputs.results.get_dict()
    solution = None
    if workchain.is_finished_ok:
        solution = Solution(
            charges=np.asarray(results['charge_per_atom'], dtype=float),
            moment=float(results['total_spin_moment']),
            energy=float(results['total_energy']),
            potential=_potential(workchain.outputs.converged_potential),
        )
    calculations = calculations_of(workchain)
    assert workchain.pk is not None
    return ScfResult(
        pks=(workchain.pk,),
        errors=_errors(calculations),
        seconds=_seconds(calculations),
        solution=solution,
        dropped=tuple((entry['start'], entry['reason']) for entry in results['starts_dropped']),
    )


def _prediction(workchain: WorkChainNode, emulator: TrainedEmulator) -> Prediction | None:
    """What the emulator said in a workchain; None if it was not asked, refused, or did not get to an iteration."""
    process = next((node for node in workchain.called if node.process_label == 'emulated_start_potential'), None)
    if process is None or not process.is_finished_ok:
        return None
    potential, told = process.outputs.potential, process.outputs.prediction.get_dict()
    first = calculations_of(workchain)[0]
    if first.inputs.impurity_potential.pk != potential.pk:
        return None
    with first.outputs.retrieved.base.repository.open(LOG, 'r') as stream:
        history = read_history(stream.read(_FIRST_ITERATION))
    if not history.niter:
        return None
    return Prediction(
        number=emulator.number,
        datasets=emulator.datasets,
        training=emulator.training + duration(process),
        potential=_potential(potential),
        error=float(told['rms_error_per_site_Ry'][0]),
        charge=float(history.charge[0, 0]),
        moment=float(history.spin_moment[0].sum()),
    )


def _potential(node: SinglefileData) -> ImpurityPotential:
    return read_potential(io.StringIO(node.get_content(mode='r')))


def _errors(calculations: Sequence[CalcJobNode]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.concatenate([np.empty(0), *(np.asarray(errors_of(node), dtype=float) for node in calculations)])


def _seconds(calculations: Sequence[CalcJobNode]) -> float:
    outputs = [
        node.outputs.output_parameters.get_dict() for node in calculations if 'output_parameters' in node.outputs
    ]
    return float(sum(output.get('timings_group', {}).get('Total running time', 0.0) for output in outputs))
