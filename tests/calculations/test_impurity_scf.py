"""Results of the calculations of one start."""

from __future__ import annotations

import pytest


@pytest.mark.usefixtures('aiida_profile')
def test_a_calculation_that_left_nothing() -> None:
    """Its folder is empty; the results say how far it came, and nothing excepts."""
    from aiida import orm

    from aiida_mlkkr.calculations.impurity_scf import impurity_scf_results

    course = {'start': None, 'starts_dropped': [], 'moments_asked': [3.0], 'converged': False, 'stages': [1]}
    outputs = impurity_scf_results(
        course=orm.Dict(course),
        impurity_info=orm.Dict({'Zimp': [25]}),
        retrieved=orm.FolderData(),
        calculation_001=orm.Dict({'convergence_group': {}}),
    )
    assert outputs['results']['iterations'] == 0
    assert 'impurity_charges' not in outputs['results'].get_dict()
    assert 'converged_potential' not in outputs
