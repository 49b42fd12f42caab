"""Two, three and three in a row: manganese in copper, and the exchange between all of them.

Run it with ``verdi run examples/manganese_in_copper.py`` in a profile where ``aiida-mlkkr demo`` has been, such as
``verdi -p mlkkr-demo run …``: the demo's archive holds the Green function of the copper host between the thirteen sites
around an atom, and the demo registers the embedded solver as a code. Neither JuKKR nor a daemon is needed.

The impurities at the edge of the thirteen sites have neighbours that respond to them on one side only. That is quick
and shows what happens; exchange with whole shells of screening needs a write-out of more sites (docs: howto, clusters).
"""

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import run_get_node

from aiida_mlkkr.demo.codes import embedded_solver
from aiida_mlkkr.workflows.cluster import KkrClusterWorkChain

ARRANGEMENTS = {
    'dimer': {'pattern': 'dimer', 'shell': 1, 'elements': ['Mn']},
    'trimer': {'pattern': 'trimer', 'shell': 1, 'elements': ['Mn']},
    'chain': {'pattern': 'chain', 'number': 3, 'shell': 1, 'elements': ['Mn']},
}


def host_green_function() -> orm.RemoteData:
    """Return the write-out of a host with the 13-site cluster around one atom."""
    query = orm.QueryBuilder()
    query.append(orm.CalcJobNode, filters={'attributes.process_label': 'KkrimpCalculation'}, tag='impurity')
    query.append(orm.RemoteData, with_outgoing='impurity', edge_filters={'label': 'host_Greenfunction_folder'})
    host = query.first(flat=True)
    if host is None:
        raise SystemExit('This profile holds no impurity calculation; run `aiida-mlkkr demo` first.')
    return host


def main(
    code: orm.AbstractCode, arrangements: Mapping[str, Mapping[str, Any]] = ARRANGEMENTS
) -> dict[str, orm.WorkChainNode]:
    """Run the arrangements one after the other and print what came out of them."""
    host, finished = host_green_function(), {}
    for name, wish in arrangements.items():
        builder = KkrClusterWorkChain.get_builder_from_protocol(
            code, wish, host_greenfunction=host, magnetic_state='ferro', protocol='fast'
        )
        node = finished[name] = run_get_node(builder).node
        print(f'{name}: {node.exit_message or "finished"}, workchain {node.pk}')
        if node.is_finished_ok:
            moments = [row['spin_moment'] for row in node.outputs.results['impurities']]
            print('  moments (Bohr magnetons): ' + ', '.join(f'{moment:.3f}' for moment in moments))
            for row in node.outputs.results['pairs']:
                print(f'  {row["i"]}-{row["j"]} at {row["distance_A"]:.3f} Å: J = {row["J_meV"]:.2f} meV')
    return finished


if __name__ == '__main__':
    main(embedded_solver())
