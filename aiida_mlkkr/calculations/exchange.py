"""Exchange tensors of the impurities of a calculation with CALCJIJMAT=1."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, calcfunction
from numpy.typing import NDArray

from aiida_mlkkr.calculations.folders import writeout_of
from aiida_mlkkr.calculations.records import Writeout
from aiida_mlkkr.data.exchange import ExchangeData
from aiida_mlkkr.exchange.conventions import RYDBERG_MEV
from aiida_mlkkr.exchange.jukkr import physical_tensors
from aiida_mlkkr.exchange.table import ExchangeTable
from aiida_mlkkr.kkr.cluster import ImpurityCluster
from aiida_mlkkr.kkr.constants import BOHR_ANGSTROM
from aiida_mlkkr.kkr.elements import crystal_name, symbol
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.jij_matrix import BIQUADRATIC, FILE_NAME, JijMatrices, parse_biquadratic, parse_jij_matrices


@calcfunction
def exchange_tensors(
    retrieved: orm.FolderData, output_parameters: orm.Dict, impurity_info: orm.Dict, host_writeout: orm.FolderData
) -> ExchangeData | ExitCode:
    """Exchange tensors between the impurities, from what KKRimp or the embedded solver writes with CALCJIJMAT=1.

    :param retrieved: files of the calculation of exchange; with ``out_biquadratic`` (embedded solver,
        ``additional_retrieve_list``) B is taken as well.
    :param output_parameters: of the same calculation, for its moments.
    :param impurity_info: of the impurities.
    :param host_writeout: retrieved files of the Green function write-out.
    :return: the table of pairs; exit code 210 if files of the write-out are missing or damaged, 211 if impurities and
        host do not fit, 310 if the exchange matrices are missing, cut short or not of this cluster.
    """
    try:
        writeout = writeout_of(host_writeout)
    except KkrFileError as error:
        return ExitCode(210, f"the host's write-out cannot be used: {error}")
    try:
        cluster = writeout.with_impurities(impurity_info.get_dict())
        host_z = writeout.lattice.z[cluster.layer - 1]
        sites = [site for site in cluster.impurity_sites if cluster.z[site] != host_z[site]]
        if len(sites) < 2:
            raise ValueError('exchange is between two impurities at least')
    except ValueError as error:
        return ExitCode(211, f'impurities and host do not fit: {error}')
    files = retrieved.base.repository
    try:
        if FILE_NAME not in files.list_object_names():
            raise KkrFileError('it was not retrieved; the calculation was not one with CALCJIJMAT=1, or crashed')
        matrices = parse_jij_matrices(files.get_object_content(FILE_NAME, mode='rb').decode('ascii', errors='replace'))
        moments = np.array(_moments(output_parameters.get_dict()))
        if not matrices.natom == len(moments) == cluster.natom:
            raise KkrFileError(
                f'{matrices.natom} sites and {len(moments)} moments, but the cluster has {cluster.natom}'
            )
        biquadratic = None
        if BIQUADRATIC in files.list_object_names():
            biquadratic = parse_biquadratic(files.get_object_content(BIQUADRATIC, mode='r'), cluster.natom)
    except KkrFileError as error:
        return ExitCode(310, f'{FILE_NAME}: {error}')
    table = _table(writeout, sites, cluster, moments, matrices, biquadratic)
    return ExchangeData.from_table(table)


def _table(
    writeout: Writeout,
    sites: list[int],
    cluster: ImpurityCluster,
    moments: NDArray[np.float64],
    matrices: JijMatrices,
    biquadratic: NDArray[np.float64] | None,
) -> ExchangeTable:
    """The pairs of the given sites."""
    found, chosen = physical_tensors(matrices), np.ix_(sites, sites)
    alat = writeout.potential.sites[0][0].alat
    elements = [symbol(cluster.z[site]) for site in sites]
    return ExchangeTable.of_cluster(
        crystal_name(writeout.lattice.z, alat),
        elements,
        cluster.positions[sites] * alat * BOHR_ANGSTROM,
        moments[sites],
        found.tensors[chosen],
        matrices.code or FILE_NAME,
        spread=found.spread[chosen],
        biquadratic=None if biquadratic is None else RYDBERG_MEV * biquadratic[chosen],
    )


def _moments(results: dict[str, Any]) -> list[float]:
    """Spin moments along the common axis [µB]; of vectors the largest component, as they are along x, y or z."""
    groups = (results.get(name, {}) for name in ('magnetism_group', 'mlkkr_group'))
    found: list[Any] = next(
        (group['spin_moment_per_atom'] for group in groups if group.get('spin_moment_per_atom')), []
    )
    return [max(np.atleast_1d(moment).tolist(), key=abs) for moment in found if moment is not None]
