"""Trained on dimers, tested on trimers and chains of three in copper: ``python exchange_trimers.py``.

The pairs of the clusters are in ``results/cu_trimers.csv``; ``verdi run exchange_trimers.py compute`` adds those that
are not there, in a profile where ``aiida-mlkkr demo`` has been. Each cluster is self-consistent, its moments begin
parallel, and the nearest neighbours of each impurity screen it, as in the table of pairs that is learnt from.

A surrogate of pairs cannot know of the third impurity. So its error stands beside that of the dimer itself, computed.
"""

import sys
from pathlib import Path

import numpy as np

from aiida_mlkkr.exchange.cleaning import OWN_MOMENT
from aiida_mlkkr.exchange.pairs import Pairs, pairs_of_tables
from aiida_mlkkr.exchange.table import ExchangeTable
from aiida_mlkkr.exchange.tables import copper_pairs, joined, read_csv
from aiida_mlkkr.ml.exchange.in_host import ExchangeSettings, HostSurrogate, learnable
from aiida_mlkkr.spins.lattice import HostLattice

RESULTS = Path(__file__).parent / 'results' / 'cu_trimers.csv'
SITES = 3
FCC = HostLattice(1.805 * (np.ones((3, 3)) - np.eye(3)), ('Cu',), np.zeros((1, 3)))
ELEMENTS = ('Mn-Mn-Mn', 'Cr-Mn-Fe', 'Fe-Fe-Fe', 'Cr-Cr-Cr', 'Mn-Mn-Fe', 'V-Mn-Co')
MODELS = ('median', 'extra_trees', 'gaussian_process')


def compute(path: Path) -> None:
    """Run the clusters that are not in the file yet, and write it anew after each."""
    from aiida import orm
    from aiida.engine import run_get_node

    from aiida_mlkkr.demo.codes import embedded_solver, host_writer
    from aiida_mlkkr.kkr.patterns import nuclear_charge
    from aiida_mlkkr.workflows.cluster import KkrClusterWorkChain
    from aiida_mlkkr.workflows.exchange.dimers import converged_host, single_impurities

    processes = orm.QueryBuilder().append(orm.WorkChainNode, filters={'attributes.process_label': 'kkr_imp_wc'})
    singles = single_impurities(processes.all(flat=True))
    host = converged_host(next(iter(singles.values())).host_writeout.creator)
    tables = [read_csv(path)] if path.exists() else []
    done = {name for table in tables for name in clusters(table)}
    for elements in ELEMENTS:
        names = elements.split('-')
        for kind in ('trimer', 'chain'):
            if f'{kind} {elements}' in done:
                continue
            wish = {'pattern': kind, 'shell': 1, 'elements': names} | ({'number': SITES} if kind == 'chain' else {})
            alone = [singles[z].process for z in sorted({nuclear_charge(name) for name in names})]
            builder = KkrClusterWorkChain.get_builder_from_protocol(
                embedded_solver(),
                wish,
                host=host,
                kkr=host_writer(),
                singles=alone,
                magnetic_state='free',
            )
            node = run_get_node(builder).node
            print(kind, elements, node.exit_message or 'finished')
            if node.is_finished_ok:
                tables.append(node.outputs.exchange.table)
                joined(tables).write_csv(path)


def clusters(table: ExchangeTable) -> dict[str, slice]:
    """The rows of each cluster, by its pattern and elements."""
    found = {}
    for start in range(0, len(table.pairs), SITES):
        rows = slice(start, start + SITES)
        (a, b), (_, c) = table.pairs[start].tolist(), table.pairs[start + 1].tolist()
        kind = 'trimer' if np.ptp(table.distances[rows]) < 0.1 else 'chain'
        found[f'{kind} {"-".join(table.elements[site] for site in (a, b, c))}'] = rows
    return found


def dimers(pairs: Pairs) -> np.ndarray:
    """J of the computed dimers of the same elements and distance, shape (n) [meV]; NaN where there is none."""
    known = pairs_of_tables([copper_pairs()])
    values = {
        (both, round(r, 1)): j
        for both, r, j in zip(known.element_pairs, known.distances.tolist(), known.j.tolist(), strict=True)
    }
    return np.array(
        [values.get((both, round(r, 1)), np.nan) for both, r in zip(pairs.element_pairs, pairs.distances, strict=True)]
    )


def predictions(model: str, pairs: Pairs, *, left_out: bool) -> tuple[np.ndarray, np.ndarray]:
    """J and half widths by a surrogate trained on dimers.

    :param left_out: without the pair of elements that is asked for, at all distances.
    """
    known, host = learnable([copper_pairs()])
    rotations = FCC.operations[0]
    j, widths = np.zeros(len(pairs)), np.zeros(len(pairs))
    names, learnt = np.array(pairs.element_pairs), np.array(known.element_pairs)
    for without in np.unique(names) if left_out else [None]:
        rows = np.ones(len(pairs), bool) if without is None else names == without
        kept = np.ones(len(known), bool) if without is None else learnt != without
        surrogate = HostSurrogate.fit(known.subset(kept), host, ExchangeSettings(model=model), rotations)
        found = surrogate.predict(pairs.subset(rows), host)
        j[rows], widths[rows] = found.j, found.half_width
    return j, widths


def main(path: Path) -> None:
    """Print J of all pairs, and what each way to know it is worth."""
    table = read_csv(path)
    pairs = pairs_of_tables([table])
    alone = dimers(pairs)
    print(f'{"cluster":22} {"pair":6} {"R (A)":>6} {"J":>8} {"dimer":>8}')
    for name, rows in clusters(table).items():
        for row in range(rows.start, rows.stop):
            print(
                f'{name:22} {pairs.element_pairs[row]:6} {pairs.distances[row]:6.2f} {pairs.j[row]:8.2f} '
                f'{alone[row]:8.2f}'
            )
    alive = (np.abs(pairs.moments) > OWN_MOMENT).all(axis=1)
    known = np.isfinite(alone) & alive
    print(f'\n{(~alive).sum()} pairs whose moments have vanished are left out')
    print(f'{known.sum()} pairs of the clusters; mean |J| {np.abs(pairs.j[known]).mean():.1f} meV')
    print(f'{"from":36} {"MAE":>7} {"rmse":>7} {"in 90 %":>8} {"width":>7}   (meV)')
    report('the dimer, computed', (alone - pairs.j)[known])
    for model in MODELS:
        for left_out in (False, True):
            j, widths = predictions(model, pairs, left_out=left_out)
            misses = (j - pairs.j)[known]
            name = f'{model}, {"elements left out" if left_out else "all dimers"}'
            report(name, misses, widths[known])
            report('  the same, against the dimers', (j - alone)[known], widths[known])


def report(name: str, misses: np.ndarray, widths: np.ndarray | None = None) -> None:
    """A row of the table."""
    text = f'{name:36} {np.abs(misses).mean():7.2f} {np.sqrt(np.mean(misses**2)):7.2f}'
    if widths is not None:
        text += f' {100 * np.mean(np.abs(misses) <= widths):8.0f} {2 * widths.mean():7.2f}'
    print(text)


if __name__ == '__main__':
    if 'compute' in sys.argv[1:]:
        compute(RESULTS)
    else:
        main(RESULTS)
