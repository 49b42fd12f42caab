"""aiida-kkr's KkrimpCalculation with the embedded solver as its code: in this process, and through a daemon."""

from __future__ import annotations

import pytest

from aiida_mlkkr.demo.archive import (
    archived_workchains,
    choose_impurities,
    current_archive,
    import_workchains,
    packaged_archive,
)
from aiida_mlkkr.demo.recipe import recipe_of

ITERATIONS = 2


def _calculation(symbol, code):
    """JuKKR's first calculation of an archived impurity, and a builder that repeats its first iterations."""
    from aiida import orm
    from aiida_kkr.calculations import KkrimpCalculation

    with packaged_archive() as packaged, current_archive(packaged) as path:
        chosen = choose_impurities(archived_workchains(path), (symbol,))
        (workchain,), _ = import_workchains(path, chosen)
    recipe = recipe_of(symbol, workchain)
    builder = KkrimpCalculation.get_builder()
    builder.code = code
    builder.impurity_info = recipe.impurity_info
    builder.host_Greenfunction_folder = recipe.host
    builder.impurity_potential = recipe.start_potential
    settings = recipe.calculations[0].inputs.parameters.get_dict()
    builder.parameters = orm.Dict({**settings, 'SCFSTEPS': ITERATIONS})
    builder.metadata.options = {'parser_name': 'mlkkr.kkrimp', 'resources': {'num_machines': 1}}
    return recipe.calculations[0], builder


def _assert_first_iteration_agrees(calculation, jukkr):
    assert calculation.is_finished, calculation.exception
    assert calculation.process_class.__name__ == 'KkrimpCalculation'
    ours = calculation.outputs.output_parameters['convergence_group']
    theirs = jukkr.outputs.output_parameters['convergence_group']
    assert len(ours['rms_all_iterations']) == ITERATIONS
    # the first iteration only: later JuKKR goes on adding the initial field
    assert ours['rms_all_iterations'][0] == pytest.approx(theirs['rms_all_iterations'][0], rel=1e-3)


def test_in_this_process(kkrimp_code):
    from aiida.engine import run_get_node

    jukkr, builder = _calculation('Al', kkrimp_code)
    _, calculation = run_get_node(builder)
    _assert_first_iteration_agrees(calculation, jukkr)


def test_through_a_daemon(submit_to_daemon, kkrimp_code):
    jukkr, builder = _calculation('Mn', kkrimp_code)
    _assert_first_iteration_agrees(submit_to_daemon(builder), jukkr)
