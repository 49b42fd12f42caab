"""aiida-kkr's own workchains take our start potentials.

The PyPI releases of aiida-kkr and masci-tools do not fit together: the parser of KKRimp passes two arguments that
``parse_kkrimp_outputfile`` does not take. That one line is mended here, and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .conftest import Copper

if TYPE_CHECKING:
    from aiida.orm import SinglefileData

    from aiida_mlkkr.data.surrogate import SurrogateData

SETTINGS = {
    'kkr_runmax': 2,
    'nsteps': 30,
    'strmix': 0.03,
    'aggressive_mix': 5,
    'aggrmix': 0.03,
    'threshold_aggressive_mixing': 5e-2,
    'convergence_criterion': 1e-2,
    'mag_init': False,
}
OPTIONS = {'resources': {'num_machines': 1}, 'withmpi': False, 'max_wallclock_seconds': 3600}


@pytest.fixture(autouse=True)
def mended_masci_tools(monkeypatch):
    from masci_tools.io.parsers.kkrimp_parser_functions import KkrimpParserFunctions

    parse = KkrimpParserFunctions.parse_kkrimp_outputfile

    def mended(self: Any, out_dict: Any, file_dict: Any, debug: bool = False, **_not_taken: bool) -> Any:
        return parse(self, out_dict, file_dict, debug)

    monkeypatch.setattr(KkrimpParserFunctions, 'parse_kkrimp_outputfile', mended)


@pytest.fixture(scope='module')
def predicted(copper: Copper, emulator: SurrogateData) -> SinglefileData:
    """Manganese, which the emulator has not seen."""
    from aiida import orm

    from aiida_mlkkr.calculations.emulation import emulated_start_potential

    info = orm.Dict({**copper.writeout.inputs.impurity_info.get_dict(), 'Zimp': [25.0]})
    return emulated_start_potential(emulator, copper.writeout.outputs.retrieved, info)['potential']


def test_kkr_imp_sub_wc(copper, predicted):
    from aiida import orm
    from aiida.engine import run_get_node
    from aiida_kkr.workflows import kkr_imp_sub_wc

    builder = kkr_imp_sub_wc.get_builder()
    builder.kkrimp = copper.code
    builder.remote_data = copper.greenfunction
    builder.impurity_info = predicted.creator.inputs.impurity_info
    builder.host_imp_startpot = predicted
    builder.wf_parameters = orm.Dict(SETTINGS)
    builder.options = orm.Dict(OPTIONS)
    node = run_get_node(builder).node
    _assert_converged(node, node.outputs.workflow_info)


def test_kkr_imp_wc(copper, predicted):
    """It asks for the voronoi code, although it does not run it."""
    from aiida import orm
    from aiida.engine import run_get_node
    from aiida_kkr.workflows import kkr_imp_wc

    builder = kkr_imp_wc.get_builder()
    builder.kkrimp = copper.code
    builder.voronoi = copper.voronoi
    builder.kkr = copper.kkr
    builder.remote_data_gf = copper.greenfunction
    builder.impurity_info = predicted.creator.inputs.impurity_info
    builder.startpot = predicted
    builder.wf_parameters = orm.Dict(SETTINGS)
    builder.options = orm.Dict(OPTIONS)
    node = run_get_node(builder).node
    _assert_converged(node, node.outputs.last_calc_info)
    assert 'VoronoiCalculation' not in {child.process_label for child in node.called_descendants}


def _assert_converged(node: Any, info: Any) -> None:
    assert node.is_finished_ok, node.exit_message
    assert info['convergence_reached']
    calculations = [child for child in node.called_descendants if child.process_label == 'KkrimpCalculation']
    last = max(calculations, key=lambda child: child.ctime)
    assert last.outputs.output_parameters['magnetism_group']['total_spin_moment'] > 3.5
