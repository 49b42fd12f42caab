"""What is read from the archive, and what the demo makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive
from aiida_mlkkr.demo.codes import embedded_solver, jukkr_code, local_computer, training_code
from aiida_mlkkr.demo.errors import DemoError
from aiida_mlkkr.demo.reading import jukkrs_result
from aiida_mlkkr.demo.recipe import Recipe, host_formula, recipe_of
from aiida_mlkkr.demo.reuse import find_process
from aiida_mlkkr.demo.runs import build


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
    assert [node.inputs.parameters['QBOUND'] for node in recipe.calculations] == [1e-2, 1e-6]
    assert recipe.start_potential.filename == 'potential_imp'
    assert recipe.calculations[1].inputs.parent_calc_folder.creator == recipe.calculations[0]


def test_no_moment_is_asked_for_where_jukkr_set_no_field(recipes: dict[str, Recipe]):
    assert recipes['Mn'].moments is None
    assert recipes['Al'].moments == [0.0]


def test_jukkrs_numbers_are_those_of_its_files(recipes: dict[str, Recipe]):
    # the reference table of the archive's makers
    manganese, aluminium = (jukkrs_result(recipes[symbol]) for symbol in ('Mn', 'Al'))
    assert manganese.iterations == 78
    assert manganese.errors[-1] < 1e-6 < manganese.errors[-2]
    assert manganese.solution is not None
    assert manganese.solution.charges[0] == pytest.approx(24.631, abs=5e-4)
    assert manganese.solution.moment == pytest.approx(3.7661, abs=1e-4)
    assert manganese.solution.potential.natom == len(manganese.solution.charges) == 13
    assert aluminium.iterations == 53
    assert aluminium.solution is not None
    assert np.abs(aluminium.solution.moment) < 1e-5


@pytest.mark.usefixtures('aiida_profile_clean')
def test_a_code_for_each_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    code = embedded_solver()
    assert code.default_calc_job_plugin == 'kkr.kkrimp'
    assert embedded_solver().pk == code.pk

    other = tmp_path / 'mlkkr-kkrimp'
    other.write_text('#!/bin/sh\n', encoding='ascii')
    other.chmod(0o755)
    monkeypatch.setattr('aiida_mlkkr.demo.codes.executable_of', lambda _: other)
    moved = embedded_solver()
    assert moved.full_label == f'{code.label}-2@mlkkr-localhost'
    assert embedded_solver().pk == moved.pk


@pytest.mark.usefixtures('aiida_profile_clean')
def test_the_code_of_trainings():
    code = training_code()
    assert code.default_calc_job_plugin == 'mlkkr.train'
    assert code.filepath_executable.name == 'aiida-mlkkr-train'
    assert training_code().pk == code.pk != embedded_solver().pk


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


def test_the_builder_takes_the_archives_own_nodes(recipes: dict[str, Recipe]):
    recipe, code = recipes['Al'], embedded_solver()
    builder = build(recipe, code, 'default')
    assert builder.startpot.pk == recipe.start_potential.pk
    assert builder.host_greenfunction.pk == recipe.host.pk
    assert builder.impurity_info.pk == recipe.impurity_info.pk
    assert builder.starts.get_list() == ['startpot']
    assert builder.schedule['name'] == 'default'
    assert builder.magnetic_moments.get_list() == [0.0]
    assert find_process('KkrImpScfWorkChain', builder._inputs(prune=True)) is None


@pytest.mark.parametrize(('with_mpi', 'expected'), [(True, True), (False, False), (None, False)])
def test_mpi_is_used_where_the_code_asks_for_it(recipes: dict[str, Recipe], with_mpi: bool | None, expected: bool):
    from aiida import orm

    code = orm.InstalledCode(
        computer=local_computer(), filepath_executable='/opt/kkrflex.exe',
        default_calc_job_plugin='kkr.kkrimp', with_mpi=with_mpi,
    )  # fmt: skip
    builder = build(recipes['Al'], code, 'default')
    assert builder.scf.kkrimp.metadata.options.withmpi is expected


def test_what_does_not_fit_is_told_before_anything_is_submitted(recipes: dict[str, Recipe]):
    from dataclasses import replace

    start = recipes['Mn'].start_potential
    with pytest.raises(DemoError, match=r'^Al: startpot does not fit the cluster'):
        build(replace(recipes['Al'], start_potential=start), embedded_solver(), 'default')
