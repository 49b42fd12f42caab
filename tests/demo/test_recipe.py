"""What is read from the archive, and what is made of it for the embedded solver."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive
from aiida_mlkkr.demo.codes import embedded_solver, jukkr_code, local_computer
from aiida_mlkkr.demo.errors import DemoError
from aiida_mlkkr.demo.recipe import Recipe, for_embedded_solver, host_formula, recipe_of
from aiida_mlkkr.demo.results import result_of
from aiida_mlkkr.demo.runs import build, find_calculation


@pytest.fixture
def recipes(aiida_profile: object) -> dict[str, Recipe]:
    """Recipes of Mn and Al from the packaged archive."""
    with packaged_archive() as path:
        chosen = choose_impurities(archived_workchains(path), ('Mn', 'Al'))
        nodes, _ = import_workchains(path, chosen)
    return {entry.symbol: recipe_of(entry.symbol, node) for entry, node in zip(chosen, nodes, strict=True)}


def test_the_recipe_is_the_archived_chain(recipes: dict[str, Recipe]):
    recipe = recipes['Mn']
    assert host_formula(recipe) == 'Cu'
    assert [parameters['IMIX'] for parameters in recipe.parameters] == [0, 5]
    assert [parameters['QBOUND'] for parameters in recipe.parameters] == [1e-2, 1e-6]
    assert recipe.start_potential.filename == 'potential_imp'
    assert recipe.calculations[1].inputs.parent_calc_folder.creator == recipe.calculations[0]


def test_jukkrs_numbers_are_those_of_its_files(recipes: dict[str, Recipe]):
    # the reference table of the archive's makers
    manganese, aluminium = (result_of(symbol, recipes[symbol].calculations) for symbol in ('Mn', 'Al'))
    assert manganese.iterations == 78
    assert manganese.stage_ends == (58, 78)
    assert manganese.charges[0] == pytest.approx(24.631, abs=5e-4)
    assert manganese.moment == pytest.approx(3.7661, abs=1e-4)
    assert manganese.errors[-1] < 1e-6 < manganese.errors[-2]
    assert manganese.potential.natom == len(manganese.charges) == 13
    assert aluminium.iterations == 53
    assert np.abs(aluminium.moment) < 1e-5


def test_the_initial_field_is_kept_where_there_is_one_and_noted_once(recipes: dict[str, Recipe]):
    recipe = recipes['Mn']
    ours = for_embedded_solver(recipe)
    first, second = ours.parameters
    assert first['TESTFLAG'] == ['accumulate_hfield']
    assert {key: value for key, value in first.get_dict().items() if key != 'TESTFLAG'} == {
        key: value for key, value in recipe.parameters[0].get_dict().items() if key != 'TESTFLAG'
    }
    assert first.creator.inputs.parameters == recipe.parameters[0]
    assert second.pk == recipe.parameters[1].pk
    assert for_embedded_solver(recipe).parameters[0].pk == first.pk
    assert for_embedded_solver(recipes['Al']).parameters == recipes['Al'].parameters


@pytest.mark.parametrize(
    ('key', 'words'),
    [('INS', 'full potential'), ('NCOLL', 'non-collinear moments'), ('SPINORBIT', 'spin-orbit coupling')],
)
def test_what_the_embedded_solver_does_not_cover_is_refused(recipes: dict[str, Recipe], key: str, words: str):
    from aiida import orm

    recipe = recipes['Al']
    parameters = orm.Dict({**recipe.parameters[0].get_dict(), key: 1})
    with pytest.raises(DemoError, match=rf'of Al .*{words} \({key}=1\).*--kkrimp'):
        for_embedded_solver(replace(recipe, parameters=(parameters,)))


@pytest.mark.usefixtures('aiida_profile_clean')
def test_a_code_for_each_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    code = embedded_solver()
    assert code.default_calc_job_plugin == 'kkr.kkrimp'
    assert embedded_solver().pk == code.pk

    other = tmp_path / 'mlkkr-kkrimp'
    other.write_text('#!/bin/sh\n', encoding='ascii')
    other.chmod(0o755)
    monkeypatch.setattr('aiida_mlkkr.demo.codes.solver_executable', lambda: other)
    moved = embedded_solver()
    assert moved.full_label == f'{code.label}-2@mlkkr-localhost'
    assert embedded_solver().pk == moved.pk


def test_codes_that_cannot_stand_in_are_refused(recipes: dict[str, Recipe]):
    from aiida import orm

    code = embedded_solver()
    assert jukkr_code(code.full_label).pk == code.pk
    with pytest.raises(DemoError, match='--kkrimp nothing@nowhere'):
        jukkr_code('nothing@nowhere')

    local = local_computer()
    for label, path, plugin in (
        ('add', '/bin/bash', 'core.arithmetic.add'),
        ('gone', '/nowhere/kkrflex.exe', 'kkr.kkrimp'),
    ):
        orm.InstalledCode(label=label, computer=local, filepath_executable=path, default_calc_job_plugin=plugin).store()
    with pytest.raises(DemoError, match=r"plugin 'core.arithmetic.add'; a KKRimp code, registered for 'kkr.kkrimp'"):
        jukkr_code('add@mlkkr-localhost')
    with pytest.raises(DemoError, match=r'/nowhere/kkrflex.exe'):
        jukkr_code('gone@mlkkr-localhost')
    archived = recipes['Mn'].calculations[0].inputs.code
    with pytest.raises(DemoError, match=r'not configured; `verdi computer configure'):
        jukkr_code(str(archived.pk))


def test_nothing_is_found_for_a_code_that_ran_nothing(recipes: dict[str, Recipe]):
    recipe = recipes['Al']
    assert find_calculation(recipe, embedded_solver(), []) is None
    # JuKKR's own calculation has the same inputs, but was read by another parser
    assert find_calculation(recipe, recipe.calculations[0].inputs.code, []) is None


def test_the_builder_takes_the_archives_own_nodes(recipes: dict[str, Recipe]):
    recipe, code = recipes['Al'], embedded_solver()
    first = build(recipe, code, [])
    assert first.impurity_potential.pk == recipe.start_potential.pk
    assert first.host_Greenfunction_folder.pk == recipe.host.pk
    assert first.metadata.options.parser_name == 'mlkkr.kkrimp'
    second = build(recipe, code, recipe.calculations[:1])
    assert second.parent_calc_folder.pk == recipe.calculations[0].outputs.remote_folder.pk
    assert second.parameters.pk == recipe.parameters[1].pk


@pytest.mark.parametrize(('with_mpi', 'expected'), [(True, True), (False, False), (None, False)])
def test_mpi_is_used_where_the_code_asks_for_it(recipes: dict[str, Recipe], with_mpi: bool | None, expected: bool):
    from aiida import orm

    code = orm.InstalledCode(
        computer=local_computer(), filepath_executable='/opt/kkrflex.exe',
        default_calc_job_plugin='kkr.kkrimp', with_mpi=with_mpi,
    )  # fmt: skip
    assert build(recipes['Al'], code, []).metadata.options.withmpi is expected
