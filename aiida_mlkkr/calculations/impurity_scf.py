"""The results of an impurity self-consistency that took several calculations."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_mlkkr.kkr.cluster import SAME_SITE
from aiida_mlkkr.kkr.kkrflex import read_atominfo
from aiida_mlkkr.kkr.scf_summary import history_arrays, magnetic_state, summary

POTENTIAL = 'out_potential'


@calcfunction
def impurity_scf_results(
    course: orm.Dict, impurity_info: orm.Dict, retrieved: orm.FolderData | None = None, **calculations: orm.Dict
) -> dict[str, orm.Data]:
    """Results of the calculations that belong to one start.

    :param course: what the workchain knows: ``start``, ``starts_dropped``, ``schedule``, ``initial_field``,
        ``moments_asked``, ``converged``; and ``stages``: the stage of each calculation, from 1 on.
    :param impurity_info: of the impurities.
    :param retrieved: files of the last calculation.
    :param calculations: ``output_parameters`` of the calculations; their labels sort in the order of time.
    :return: ``results``, ``scf_history`` and, if it converged, ``converged_potential``. Where there was no calculation
        ``results`` holds the course alone.
    """
    told = course.get_dict()
    stages = told.pop('stages')
    results: dict[str, Any] = {**told, 'iterations': 0}
    outputs: dict[str, orm.Data] = {}
    if calculations:
        labels = sorted(calculations)
        last = calculations[labels[-1]].get_dict()
        history = history_arrays([calculations[label].get_dict() for label in labels], stages)
        results |= summary(last, history)
        if retrieved is not None and results['charge_per_atom']:
            results |= _impurities(impurity_info.get_dict(), retrieved, results)
        outputs['scf_history'] = _array_node(history)
    if told['converged'] and retrieved is not None:
        content = retrieved.base.repository.get_object_content(POTENTIAL, mode='rb')
        outputs['converged_potential'] = orm.SinglefileData(BytesIO(content), filename='potential')
    return {'results': orm.Dict(results), **outputs}


def impurity_sites(info: dict[str, Any], retrieved: orm.FolderData) -> list[int]:
    """Numbers of the impurities among the sites of a run, from 0, in their own order.

    :param info: ``impurity_info``.
    :param retrieved: files of the run.
    """
    with retrieved.base.repository.as_path('kkrflex_atominfo') as path:
        atoms = read_atominfo(path)
    positions = atoms.positions[~atoms.removed]
    sites: list[int] = []
    for position in info.get('Rimp_rel', [[0.0, 0.0, 0.0]]):
        near = np.linalg.norm(positions - np.array(position[:3]), axis=1) < SAME_SITE
        sites += np.flatnonzero(near).tolist()
    return sites


def _impurities(info: dict[str, Any], retrieved: orm.FolderData, results: dict[str, Any]) -> dict[str, Any]:
    """Sites, charges and moments of the impurities, and their magnetic state."""
    sites = impurity_sites(info, retrieved)
    charges, moments = results['charge_per_atom'], results['spin_moment_per_atom']
    found: dict[str, Any] = {'impurity_sites': sites, 'impurity_charges': [charges[site] for site in sites]}
    if moments and None not in moments:
        obtained = [moments[site] for site in sites]
        found['magnetic_state'] = magnetic_state(results['moments_asked'], obtained)
    return found


def _array_node(arrays: dict[str, Any]) -> orm.ArrayData:
    node = orm.ArrayData()
    for name, array in arrays.items():
        node.set_array(name, array)
    return node
