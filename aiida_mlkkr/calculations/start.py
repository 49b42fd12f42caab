"""Start potentials without the voronoi code."""

from __future__ import annotations

from io import BytesIO, StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from aiida import orm
from aiida.engine import ExitCode, calcfunction

from aiida_mlkkr.kkr.cluster import read_scoef
from aiida_mlkkr.kkr.kkrflex import read_atominfo, read_green
from aiida_mlkkr.kkr.potential import read_potential, write_potential
from aiida_mlkkr.solver.atom import AtomError
from aiida_mlkkr.solver.errors import InconsistentInputError
from aiida_mlkkr.solver.start import host_of_cluster, standard_start

HOST_FILES = ('scoef', 'kkrflex_atominfo', 'kkrflex_green', 'out_potential')


@calcfunction
def standard_start_potential(
    host_writeout: orm.FolderData, impurity_info: orm.Dict, moments: orm.List | None = None
) -> orm.SinglefileData | ExitCode:
    """The standard start potential of impurities in a host, from free atoms (see :mod:`aiida_mlkkr.solver.start`).

    :param host_writeout: retrieved files of the Green function write-out (``kkr_flex_wc`` with ``retrieve_kkrflex``).
    :param impurity_info: as for ``KkrimpCalculation``: ``Zimp``, and ``Rimp_rel`` for more than one impurity.
    :param moments: spin moments to start with on the impurities, in the order of ``Zimp``, µB; those beyond the list
        have none.
    :return: the file ``potential``, to be the ``impurity_potential`` of a ``KkrimpCalculation``; exit code 210 if a
        file of the host is missing, 211 if impurities and host do not fit.
    """
    missing = [name for name in HOST_FILES if name not in host_writeout.base.repository.list_object_names()]
    if missing:
        return ExitCode(
            210,
            f'the retrieved folder of the host write-out lacks {", ".join(missing)}: write the Green function out '
            'again with retrieve_kkrflex',
        )
    info = impurity_info.get_dict()
    if info.get('Zimp') is None:
        return ExitCode(211, 'impurity_info has no Zimp, the nuclear charge of the impurity')
    with TemporaryDirectory() as folder:
        for name in HOST_FILES:
            content = host_writeout.base.repository.get_object_content(name, mode='rb')
            (Path(folder) / name).write_bytes(content)
        try:
            cluster = read_scoef(Path(folder) / 'scoef').with_impurities(
                info['Zimp'], info.get('Rimp_rel', [[0.0, 0.0, 0.0]])
            )
            given = list(moments or [])
            if len(given) > len(cluster.impurity_sites):
                raise ValueError(f'{len(given)} start moments for {len(cluster.impurity_sites)} impurities')
            start_moments = dict(zip(cluster.impurity_sites, given, strict=False))
            start = standard_start(
                cluster.z,
                read_atominfo(Path(folder) / 'kkrflex_atominfo').lmax,
                host_of_cluster(read_potential(Path(folder) / 'out_potential'), cluster.layer),
                read_green(Path(folder) / 'kkrflex_green').contour_bottom,
                [start_moments.get(site, 0.0) for site in range(cluster.z.size)],
            )
        except (ValueError, AtomError, InconsistentInputError) as error:
            return ExitCode(211, f'no start potential for these impurities in this host: {error}')
    text = StringIO()
    write_potential(start, text)
    return orm.SinglefileData(BytesIO(text.getvalue().encode('ascii')), filename='potential')
