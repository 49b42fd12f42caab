"""What emulators leave of the error of full potentials, channel by channel, on impurities left out of the training.

    python benchmarks/full_potential.py cu_fcc_fp_impurities --models kernel jacobi_legendre --kkrimp kkrflex.exe

The group is one of ``kkr_imp_wc`` workflows in full potential in the current AiiDA profile. Errors are root mean
squares over the cell in mRy, of both spins, by angular momentum l: on the impurity's site and on its first neighbour.
With groups of impurities in atomic spheres (``--spheres``) the models learn what an emulator trained on these leaves,
of which the impurity that is asked for is left out, too.
With an executable of KKRimp predicted potentials are also converged, with the settings of the last archived run, which
have no initial field; the archived iterations are those of all runs together.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from aiida import load_profile, orm

from aiida_mlkkr.calculations.folders import run_of, writeout_of
from aiida_mlkkr.calculations.records import Writeout, record_of_run
from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.kkr.potential import read_potential, write_potential
from aiida_mlkkr.kkr.shapes import values_of
from aiida_mlkkr.ml.dataset import ImpurityDataset, ImpurityRecord, PotentialKind
from aiida_mlkkr.ml.emulator import EmulatorSettings, PotentialEmulator, Prediction
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.radial import volume_weights
from aiida_mlkkr.query.find import find_impurities
from aiida_mlkkr.query.impurity import FinishedImpurity
from aiida_mlkkr.solver.start import cluster_potential, host_of_cluster

SITES = {'impurity': 0, 'neighbour': 1}
HOST_FILES = ('kkrflex_green', 'kkrflex_tmat', 'kkrflex_intercell_ref', 'kkrflex_intercell_cmoms')
RUN_FILES = ('config.cfg', 'shapefun', 'kkrflex_atominfo', 'scoef')


@dataclass(frozen=True, eq=False)
class Case:
    """An archived impurity.

    :param runs: its KKRimp calculations, each continuing the one before.
    :param start: the potential (nspin, size) of each site that the first one began with.
    """

    impurity: FinishedImpurity
    writeout: Writeout
    record: ImpurityRecord
    runs: list[orm.CalcJobNode]
    start: list[np.ndarray]

    @property
    def element(self) -> str:
        """Symbol of the impurity."""
        return symbol(self.record.z[0])

    @property
    def iterations(self) -> int:
        """Iterations of all its runs."""
        return sum(run.outputs.output_parameters['convergence_group']['number_of_iterations'] for run in self.runs)


def usable(group: str) -> Iterator[tuple[FinishedImpurity, Writeout, PotentialKind, ImpurityRecord]]:
    """All impurities of a group that can be learnt from."""
    for impurity in find_impurities(group).usable:
        writeout = writeout_of(impurity.host_writeout)
        run = run_of(impurity.retrieved, impurity.host_writeout, impurity.potential)
        yield impurity, writeout, *record_of_run(impurity.uuid, writeout, impurity.impurity_info.get_dict(), run)


def in_spheres(groups: Sequence[str]) -> ImpurityDataset | None:
    """The impurities of groups in atomic spheres, if there are groups."""
    found = [one for group in groups for one in usable(group)]
    return ImpurityDataset(found[0][2], tuple(record for *_, record in found)) if found else None


def cases(group: str) -> tuple[ImpurityDataset, list[Case]]:
    """All usable impurities of a group, by nuclear charge."""
    every, found = list(usable(group)), []
    for impurity, writeout, _, record in every:
        runs = [impurity.retrieved.creator]
        while 'parent_calc_folder' in runs[0].inputs:
            runs.insert(0, runs[0].inputs.parent_calc_folder.creator)
        with runs[0].base.repository.open('potential') as stream:
            start = read_potential(stream, nspin=2)
        values = [
            np.array([values_of(block, record.host.meshes[layer - 1]) for block in site])
            for site, layer in zip(start.sites, record.layer, strict=True)
        ]
        found.append(Case(impurity, writeout, record, runs, values))
    found.sort(key=lambda case: case.record.z[0])
    return ImpurityDataset(every[0][2], tuple(case.record for case in found)), found


def by_l(mesh: RadialMesh, difference: np.ndarray) -> np.ndarray:
    """Error (lmax + 1,) in mRy of each l."""
    squares = np.mean(volume_weights(mesh) * difference**2, axis=0)
    channels = [squares[: mesh.n].sum(), *squares[mesh.n :].reshape(mesh.channels - 1, -1).sum(axis=1)]
    return 1e3 * np.sqrt([np.sum(channels[l**2 : (l + 1) ** 2]) for l in range(isqrt(mesh.channels))])


def forbidden(mesh: RadialMesh, predicted: np.ndarray, allowed: np.ndarray) -> float:
    """Largest predicted value in Ry of components that vanish by symmetry: below 1e-5 Ry in JuKKR's result."""
    rows = [v[:, mesh.n :].reshape(len(v), mesh.channels - 1, -1) for v in (predicted, allowed)]
    absent = np.abs(rows[1]).max(axis=(0, 2)) < 1e-5
    return float(np.abs(rows[0][:, absent]).max(initial=0.0))


def left_out(
    model: str, case: Case, dataset: ImpurityDataset, spheres: ImpurityDataset | None
) -> tuple[Prediction, str]:
    """Prediction of an impurity by a model trained on the others, and why the emulator would refuse it, if it would."""
    record, settings = case.record, EmulatorSettings(model=model)
    below = None if spheres is None else PotentialEmulator.fit(spheres.without(record.z[0]), settings)
    emulator = PotentialEmulator.fit(dataset.without(record.z[0]), settings, spheres=below)
    refusal = ''
    try:
        emulator.check(dataset.kind, record.host, record.z, record.layer)
    except ModelError as error:
        refusal = str(error)
        emulator.seen = np.vstack([emulator.seen, [record.z[0], record.z_host[0]]]).astype(np.int64)
    arguments = (dataset.kind, record.host, record.positions, record.layer, record.z, record.reference)
    return emulator.predict(*arguments), refusal


def rows(model: str, case: Case, prediction: Prediction, refusal: str) -> Iterator[dict[str, Any]]:
    """Errors of the prediction, of the reference and of the archived start."""
    record = case.record
    for name, site in SITES.items():
        mesh, true = record.host.meshes[record.layer[site] - 1], record.v[site]
        values = {'error': prediction.v[site], 'free_atoms': record.reference[site], 'voronoi': case.start[site]}
        errors = {key: by_l(mesh, v - true) for key, v in values.items()}
        for l in range(isqrt(mesh.channels)):
            yield {
                'model': model,
                'impurity': case.element,
                'site': name,
                'l': l,
                **{f'{key}_mRy': f'{found[l]:.4f}' for key, found in errors.items()},
                'largest_forbidden_Ry': forbidden(mesh, prediction.v[site] - record.reference[site], true),
                'refused': bool(refusal),
            }


def converge(kkrimp: Path, case: Case, prediction: Prediction) -> list[float]:
    """Errors of the iterations from a predicted potential, with the settings of the last archived run."""
    writeout, run = case.writeout, case.runs[-1]
    sites = host_of_cluster(writeout.potential, case.record.layer)
    potential = cluster_potential(case.record.z, writeout.lmax, sites, writeout.contour_bottom, prediction.v)
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        write_potential(potential, folder / 'potential')
        for name in HOST_FILES:
            (folder / name).write_bytes(case.impurity.host_writeout.base.repository.get_object_content(name, 'rb'))
        for name in RUN_FILES:
            (folder / name).write_bytes(run.base.repository.get_object_content(name, 'rb'))
        environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
        done = subprocess.run([kkrimp], cwd=folder, capture_output=True, text=True, env=environment, check=False)
    errors = re.findall(r'average rms-error : v\+ \+ v- = *(\S+)', done.stdout)
    return [float(error.replace('D', 'E')) for error in errors]


def main() -> None:
    """Print the table, and iterations if there is a KKRimp."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('group', help='label of the group of impurities')
    parser.add_argument('--models', nargs='+', default=['kernel'], help='installed models')
    parser.add_argument('--spheres', nargs='+', default=[], help='groups of impurities in atomic spheres')
    parser.add_argument('--csv', type=Path, help='file for the table of errors')
    parser.add_argument('--kkrimp', type=Path, help="executable of JuKKR's KKRimp")
    parser.add_argument('--converge', nargs='*', default=['V', 'Zn'], help='impurities to run it for')
    arguments = parser.parse_args()
    load_profile()
    dataset, archived = cases(arguments.group)
    spheres = in_spheres(arguments.spheres)
    table: list[dict[str, Any]] = []
    for model in arguments.models:
        for case in archived:
            prediction, refusal = left_out(model, case, dataset, spheres)
            new = list(rows(f'{model}{"_on_spheres" * bool(spheres)}', case, prediction, refusal))
            table += new
            for row in new:
                print(*row.values(), sep='\t', flush=True)
            if arguments.kkrimp and case.element in arguments.converge:
                errors = converge(arguments.kkrimp.resolve(), case, prediction)
                print(
                    f'{model} {case.element}: {len(errors)} iterations, archived {case.iterations}', errors, flush=True
                )
    if arguments.csv:
        with arguments.csv.open('w', newline='') as stream:
            writer = csv.DictWriter(stream, list(table[0]))
            writer.writeheader()
            writer.writerows(table)


if __name__ == '__main__':
    main()
