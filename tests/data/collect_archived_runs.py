"""Collect what the tests of the history, the sanity check and the parser need from the AiiDA archives of real runs.

Run by hand, with the archives as arguments, when the archives or the facts to be kept change:

    python tests/data/collect_archived_runs.py cu_fcc_asa.aiida ag_fcc_asa.aiida cu_fcc_asa_mn_pair.aiida \
        cu_fcc_fp.aiida cu_fcc_fp_soc_mn_pair.aiida real_failures.aiida

It writes, beside itself,

* ``archived_impurities.json``: the final state of each converged calculation of the groups below, by ``label``; of the
  neighbours of a single impurity in fcc, twelve equal ones, the first is kept (``repeat``); and the errors of all
  iterations of these calculations and of the failed ones;
* ``kkrimp_outputs/NAME.tar.xz``: the retrieved files of some runs, unchanged, with ``reference.json``:
  what aiida-kkr's own parser made of them, and the host's charges.
"""

import io
import json
import lzma
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from aiida import load_profile, orm
from aiida.storage.sqlite_zip.backend import SqliteZipBackend

from aiida_mlkkr.kkr.run import read_run
from aiida_mlkkr.kkr.sanity import ClusterResult
from aiida_mlkkr.parsers.kkrimp import _host_calculation, _host_reference
from aiida_mlkkr.parsers.retrieved import retrieved_texts

HERE = Path(__file__).parent
CONVERGED = (
    'cu_fcc_asa_impurities_dev',
    'ag_fcc_asa_impurities',
    'cu_fcc_asa_mn_pair',
    'cu_fcc_fp_impurities',
    'cu_fcc_fp_soc_mn_pair',
)
FAILED = 'failures'
# group, part of the label, which of its KKRimp calculations, name of the file
KEPT_FILES = (
    ('cu_fcc_asa_impurities_dev', 'Z=25', 1, 'mn_in_cu'),
    ('cu_fcc_asa_mn_pair', 'pair', 1, 'mn_pair'),
    ('cu_fcc_fp_soc_mn_pair', 'pair', 1, 'mn_pair_spin_orbit'),
    (FAILED, 'Z=28', 1, 'ni_in_cu_false_convergence'),
    (FAILED, 'Z=27', 5, 'co_in_cu_stagnating'),
    (FAILED, 'Z=49', 0, 'in_in_cu_core_state_lost'),
    (FAILED, 'Jij of', 0, 'jij_crash_signal'),
    (FAILED, 'Jij pair', 0, 'jij_crash_bounds'),
)


def calculations(node: orm.ProcessNode) -> list[orm.CalcJobNode]:
    """The KKRimp calculations of a group's member, oldest first; members whose run does not converge have none."""
    found = [node] if isinstance(node, orm.CalcJobNode) else node.called_descendants
    return sorted((c for c in found if c.process_label == 'KkrimpCalculation'), key=lambda calc: calc.ctime)


def main(archives: list[str]) -> None:
    """Collect from all archives."""
    facts: list[dict[str, Any]] = []
    errors: dict[str, dict[str, list[float]]] = {'converged': {}, 'failed': {}}
    for archive in archives:
        load_profile(SqliteZipBackend.create_profile(archive), allow_switch=True)
        for group in orm.QueryBuilder().append(orm.Group).all(flat=True):
            for member in group.nodes:
                for index, calc in enumerate(calculations(member)):
                    collect(group.label, member.label, index, calc, facts, errors)
    facts.sort(key=lambda fact: (fact['group'], fact['label'], fact['calculation']))
    lines = ',\n'.join(json.dumps(fact, separators=(',', ':')) for fact in facts)
    series = json.dumps(errors, separators=(',', ':'))
    (HERE / 'archived_impurities.json').write_text(f'{{"errors":{series},\n"results":[\n{lines}\n]}}\n')
    print(f'{len(facts)} results')


def collect(
    group: str, label: str, index: int, calc: orm.CalcJobNode, facts: list[dict[str, Any]], errors: dict[str, Any]
) -> None:
    """Add a calculation to the facts, the errors and the kept files."""
    jij = bool(calc.inputs.parameters.get_dict().get('CALCJIJMAT'))
    if group not in (*CONVERGED, FAILED) or (jij and group != FAILED):
        return
    files = retrieved_texts(calc.outputs.retrieved)
    host = _host_reference(files, _host_calculation(calc))
    run = read_run(files, host)
    name = f'{group}: {label}, {index}'
    kind = 'failed' if group == FAILED else 'converged'
    if run.history.niter:
        errors[kind][name] = [float(f'{error:.4g}') for error in run.history.error]
    for kept_group, part, kept_index, file in KEPT_FILES:
        if (kept_group, kept_index) == (group, index) and part in label:
            keep_files(calc, host, HERE / 'kkrimp_outputs' / f'{file}.tar.xz')
    if group != FAILED:
        result = ClusterResult.from_run(run.history, run.potential, host)
        facts.append(
            {'group': group, 'label': label, 'calculation': index, 'uuid': str(calc.uuid)} | final_state(result)
        )


def final_state(result: ClusterResult) -> dict[str, Any]:
    """A result as plain lists; equal neighbours of a single impurity are kept once."""
    arrays = {
        'z': result.z,
        'charge': result.charge,
        'core_charge': result.core_charge,
        'spin_moment': result.spin_moment,
        'l_charge': result.l_charge,
        'edge': result.edge,
        'host_z': result.host.z,
        'host_charge': result.host.charge,
    }
    levels = [[[[s.l, round(s.energy, 6)] for s in spin] for spin in site] for site in result.core]
    n = len(result.z)
    tolerance = 1e-4
    equal = n > 2 and all(
        np.abs(np.asarray(array)[1:] - np.asarray(array)[1]).max() < tolerance for array in arrays.values()
    )
    kept = 2 if equal else n
    state: dict[str, Any] = {'repeat': n - 1 if equal else 1}
    state |= {key: np.round(array[:kept], 6).tolist() for key, array in arrays.items()}
    state['core'] = levels[:kept]
    state |= {key: getattr(result, key) for key in ('total_energy', 'error', 'contour_bottom', 'efermi')}
    return state


def keep_files(calc: orm.CalcJobNode, host: Any, path: Path) -> None:
    """Pack the retrieved files and the reference."""
    reference = {
        'uuid': str(calc.uuid),
        'exit_status': calc.exit_status,
        'parameters': calc.inputs.parameters.get_dict(),
        'output_parameters': calc.outputs.output_parameters.get_dict(),
        'host_z': host.z.tolist(),
        'host_charge': host.charge.tolist(),
        'kkrflex_intercell_cmoms': _host_calculation(calc).outputs.retrieved.base.repository.get_object_content(
            'kkrflex_intercell_cmoms'
        ),
    }
    repository = calc.outputs.retrieved.base.repository
    contents = {name: repository.get_object_content(name, 'rb') for name in repository.list_object_names()}
    contents['reference.json'] = json.dumps(reference).encode()
    with lzma.open(path, 'wb', preset=9 | lzma.PRESET_EXTREME) as stream, tarfile.open(fileobj=stream, mode='w') as tar:
        for name, content in sorted(contents.items()):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


if __name__ == '__main__':
    main(sys.argv[1:])
