"""Start potentials without the voronoi code."""

from __future__ import annotations

from io import BytesIO, StringIO

from aiida import orm
from aiida.engine import ExitCode, calcfunction

from aiida_mlkkr.calculations.folders import writeout_of
from aiida_mlkkr.calculations.records import moments_of_sites
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.potential import write_potential
from aiida_mlkkr.solver.errors import InconsistentInputError
from aiida_mlkkr.solver.start import host_of_cluster, standard_start


@calcfunction
def standard_start_potential(
    host_writeout: orm.FolderData, impurity_info: orm.Dict, moments: orm.List | None = None
) -> orm.SinglefileData | ExitCode:
    """The standard start potential of impurities in a host, from free atoms (see :mod:`aiida_mlkkr.solver.start`).

    :param host_writeout: retrieved files of the Green function write-out (``kkr_flex_wc``); the Green function itself
        may have stayed behind.
    :param impurity_info: as for ``KkrimpCalculation``: ``Zimp``, and ``Rimp_rel`` for more than one impurity.
    :param moments: spin moments to start with on the impurities, in the order of ``Zimp``, µB; those beyond the list
        have none.
    :return: the file ``potential``, to be the ``impurity_potential`` of a ``KkrimpCalculation``; exit code 210 if
        files of the write-out are missing or damaged, 211 if impurities and host do not fit.
    """
    try:
        writeout = writeout_of(host_writeout)
    except KkrFileError as error:
        return ExitCode(210, f"the host's write-out cannot be used: {error}")
    try:
        cluster = writeout.with_impurities(impurity_info.get_dict())
        start = standard_start(
            cluster.z,
            writeout.lmax,
            host_of_cluster(writeout.potential, cluster.layer),
            writeout.contour_bottom,
            moments_of_sites(cluster, [] if moments is None else moments.get_list()),
        )
    except (ValueError, InconsistentInputError) as error:
        return ExitCode(211, f'no start potential for these impurities in this host: {error}')
    text = StringIO()
    write_potential(start, text)
    return orm.SinglefileData(BytesIO(text.getvalue().encode('ascii')), filename='potential')
