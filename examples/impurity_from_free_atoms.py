"""An impurity that nobody has calculated before: silicon in copper, started from free atoms.

Run it with ``verdi run examples/impurity_from_free_atoms.py`` in a profile where ``aiida-mlkkr demo`` has been, such as
``verdi -p mlkkr-demo run …``: the demo's archive holds the Green function of the copper host, and the demo registers
the embedded solver as a code. Neither JuKKR nor a daemon is needed.
"""

from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import CalculationFactory

from aiida_mlkkr.calculations.start import standard_start_potential
from aiida_mlkkr.demo.codes import embedded_solver

SILICON = 14


def host_green_function() -> orm.RemoteData:
    """Return the write-out of a host with the 13-site cluster around one atom."""
    query = orm.QueryBuilder()
    query.append(orm.CalcJobNode, filters={'attributes.process_label': 'KkrimpCalculation'}, tag='impurity')
    query.append(orm.RemoteData, with_outgoing='impurity', edge_filters={'label': 'host_Greenfunction_folder'})
    host = query.first(flat=True)
    if host is None:
        raise SystemExit('This profile holds no impurity calculation; run `aiida-mlkkr demo` first.')
    return host


def main(code: orm.AbstractCode) -> orm.CalcJobNode:
    """Run the self-consistency and print what came out of it."""
    host = host_green_function()
    impurity = orm.Dict({**host.creator.inputs.impurity_info.get_dict(), 'Zimp': [SILICON]})
    builder = CalculationFactory('kkr.kkrimp').get_builder()
    builder.code = code
    builder.host_Greenfunction_folder = host
    builder.impurity_info = impurity
    builder.impurity_potential = standard_start_potential(host.creator.outputs.retrieved, impurity)
    builder.parameters = orm.Dict(
        {'NSPIN': 2, 'INS': 0, 'SCFSTEPS': 200, 'IMIX': 5, 'MIXFAC': 0.03, 'NSIMPLEMIXFIRST': 20, 'QBOUND': 1e-6}
    )
    builder.metadata.options = {
        'parser_name': 'mlkkr.kkrimp',
        'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1},
        'withmpi': False,
    }
    _, calculation = run_get_node(builder)
    results = calculation.outputs.output_parameters.get_dict()
    convergence = results['convergence_group']
    print(f'{calculation}: {calculation.exit_message or "finished"}')
    print(f'iterations {convergence["number_of_iterations"]}, error {convergence["rms"]:.1e} Ry')
    print(f'electrons on the impurity {results["total_charge_per_atom"][0]:.4f}')
    return calculation


if __name__ == '__main__':
    main(embedded_solver())
