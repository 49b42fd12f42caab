"""Several impurities: the start potential joined from each of them alone, and what came out for each and each pair."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO, StringIO
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, calcfunction

from aiida_mlkkr.calculations.dataset import PARTS
from aiida_mlkkr.calculations.folders import run_of, writeout_of
from aiida_mlkkr.calculations.records import Writeout, unusable
from aiida_mlkkr.data.exchange import ExchangeData
from aiida_mlkkr.kkr.cluster import ImpurityCluster
from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.kkr.joint_start import Single, joined_potential
from aiida_mlkkr.kkr.potential import write_potential
from aiida_mlkkr.kkr.scf_summary import signs_kept
from aiida_mlkkr.solver.start import host_of_cluster


@calcfunction
def joint_start_potential(
    impurity_info: orm.Dict, moments: orm.List | None = None, **singles: Any
) -> orm.SinglefileData | ExitCode:
    """The start potential of several impurities from each of them alone (:mod:`aiida_mlkkr.kkr.joint_start`).

    :param impurity_info: of the impurities together, with ``imp_cls``.
    :param moments: spin moments asked for, of which the signs count; those of the single impurities if absent.
    :param singles: a namespace for each single impurity, as ``impurity_dataset`` takes them: ``retrieved``,
        ``impurity_info``, ``host_writeout`` and, if there is one, ``potential``.
    :return: the file ``potential``; exit code 211 if an impurity has no single, or one cannot be used.
    """
    writeouts: dict[str, Writeout] = {}
    try:
        alone = [_single(label, parts, writeouts) for label, parts in sorted(singles.items())]
        if not alone:
            raise ValueError('there is no single impurity')
        host = next(iter(writeouts.values()))
        cluster = ImpurityCluster.from_impurity_info(impurity_info.get_dict(), host.lattice)
        on_sites = host_of_cluster(host.potential, cluster.layer)
        start = joined_potential(cluster, on_sites, alone, None if moments is None else moments.get_list())
    except ValueError as error:
        return ExitCode(211, f'no start potential from single impurities: {error}')
    text = StringIO()
    write_potential(start, text)
    return orm.SinglefileData(BytesIO(text.getvalue().encode('ascii')), filename='potential')


@calcfunction
def cluster_results(
    scf: orm.Dict, impurity_info: orm.Dict, course: orm.Dict, exchange: ExchangeData | None = None
) -> orm.Dict:
    """What came out for each impurity and each pair.

    :param scf: results of the self-consistency.
    :param course: what the workchain knows: ``attempts``, ``joint_start``.
    :return: ``impurities``, a row for each; ``pairs``, the rows of the exchange table; ``magnetic_state``.
    """
    found, info = scf.get_dict(), impurity_info.get_dict()
    moments, asked = found.get('spin_moment_per_atom'), found.get('moments_asked')
    sites = found.get('impurity_sites', [])
    obtained = [moments[site] for site in sites] if moments and None not in moments else []
    rows = [
        {
            'element': symbol(charge),
            'nuclear_charge': charge,
            'position_alat': list(position),
            'site': site,
            'charge': its_charge,
            'spin_moment': obtained[number] if obtained else None,
            'spin_moment_asked': None if asked is None else asked[number],
        }
        for number, (charge, position, site, its_charge) in enumerate(
            zip(info['Zimp'], info.get('Rimp_rel', []), sites, found.get('impurity_charges', []), strict=False)
        )
    ]
    state = signs_kept(asked, obtained) if obtained else None
    pairs = [] if exchange is None else exchange.table.rows()
    names = ('converged', 'total_spin_moment', 'iterations', 'start', 'problems', 'rms_charge', 'rms_spin')
    return orm.Dict(
        {
            **course.get_dict(),
            **{name: found.get(name) for name in names},
            'impurities': rows,
            'pairs': pairs,
            'magnetic_state': state,
            'units': {'charge': 'e', 'spin_moment': 'mu_Bohr', 'rms': 'Ry', 'pairs': 'meV, Angstrom'},
            'convention': None if exchange is None else exchange.base.attributes.get('hamiltonian'),
        }
    )


def _single(label: str, parts: Any, writeouts: dict[str, Writeout]) -> Single:
    """A single impurity; ``writeouts`` are those that have been read already."""
    given = parts if isinstance(parts, Mapping) else {}
    absent = [name for name, valid in PARTS.items() if not isinstance(given.get(name), valid)]
    if absent:
        raise ValueError(f'the inputs of {label} lack {", ".join(absent)}, or these are no such nodes')
    folder = parts['host_writeout']
    if folder.uuid not in writeouts:
        writeouts[folder.uuid] = writeout_of(folder)
    run = run_of(parts['retrieved'], folder, parts.get('potential'))
    fault = unusable(run)
    if run.potential is None or fault:
        raise ValueError(f'{label}: {fault}')
    return Single(writeouts[folder.uuid].with_impurities(parts['impurity_info'].get_dict()), run.potential)
