"""The start potential of JuKKR's voronoi code, by aiida-kkr's own workchain and functions.

As in its ``kkr_imp_wc``: the impurity takes the place of an atom of the host's cell, the voronoi code makes potentials
for that crystal, and the impurity's is put among those of the host.
"""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder
from aiida_kkr.calculations import VoronoiCalculation
from aiida_kkr.tools import kick_out_corestates_wf, neworder_potential_wf, update_params_wf
from aiida_kkr.workflows import kkr_startpot_wc
from aiida_kkr.workflows.kkr_imp import change_struc_imp_aux_wf
from plumpy.utils import AttributesFrozendict

from aiida_mlkkr.workflows.imp_scf.writeout import cluster_in_host


def voronoi_builder(inputs: AttributesFrozendict, writeout: orm.CalcJobNode) -> ProcessBuilder:
    """The voronoi workchain for the host's crystal with the impurity in it.

    :raises ValueError: aiida-kkr cannot do it: there are several impurities, or impurity_info lacks ilayer_center.
    """
    info = inputs.impurity_info.get_dict()
    cluster = cluster_in_host(writeout, info)
    layers = cluster.layer[list(cluster.impurity_sites)] - 1
    if len(layers) > 1:
        raise ValueError("aiida-kkr's voronoi start is for one impurity only")
    if layers[0] != info.get('ilayer_center', 0):
        raise ValueError(
            f"aiida-kkr's voronoi start puts the impurity on atom {info.get('ilayer_center', 0)} of the cell, "
            f'ilayer_center of impurity_info, but it belongs on atom {layers[0]}'
        )
    host = writeout.inputs.parent_folder
    structure, host_voronoi = VoronoiCalculation.find_parent_structure(host)
    parameters = host.creator.inputs.parameters
    changes = _settings_of_voronoi(parameters.get_dict(), host_voronoi.inputs.parameters.get_dict())
    if changes:
        parameters = update_params_wf(parameters, orm.Dict(changes), metadata={'call_link_label': 'voronoi_parameters'})
    builder = kkr_startpot_wc.get_builder()
    builder.structure = change_struc_imp_aux_wf(
        structure, inputs.impurity_info, metadata={'call_link_label': 'impurity_in_cell'}
    )
    builder.voronoi = inputs.voronoi
    builder.calc_parameters = parameters
    builder.wf_parameters = orm.Dict({'ef_set': writeout.outputs.output_parameters['fermi_energy']})
    builder.options = inputs.host_options
    builder.metadata.call_link_label = 'voronoi_start'
    return builder


def join_potentials(writeout: orm.CalcJobNode, voronoi: orm.RemoteData, impurity_info: orm.Dict) -> orm.SinglefileData:
    """The host's potentials on the sites of the cluster, and the impurity's of the voronoi code on its own."""
    cluster = cluster_in_host(writeout, impurity_info.get_dict())
    (site,) = cluster.impurity_sites
    nspin = writeout.outputs.output_parameters['nspin']
    layer = int(cluster.layer[site]) - 1
    settings = orm.Dict(
        {
            'out_pot': 'potential_imp',
            'neworder': (cluster.layer - 1).tolist(),
            'replace_newpos': [[nspin * site + spin, nspin * layer + spin] for spin in range(nspin)],
            'label': 'start potential of the voronoi code',
        }
    )
    potential = neworder_potential_wf(
        settings_node=settings,
        parent_calc_folder=writeout.inputs.parent_folder,
        parent_calc_folder2=voronoi,
        metadata={'call_link_label': 'join_potentials'},
    )
    bottom = writeout.outputs.output_parameters['energy_contour_group']['emin']
    return kick_out_corestates_wf(
        potential, orm.Float(bottom), metadata={'call_link_label': 'drop_core_states_in_contour'}
    )


def _settings_of_voronoi(host: dict[str, Any], host_voronoi: dict[str, Any]) -> dict[str, Any]:
    """What the impurity's cell needs beyond the host's parameters, so that the radial meshes are the same."""
    changes = {key: host_voronoi[key] for key in ('RUNOPT', 'RCLUSTZ') if host_voronoi.get(key) is not None}
    if 'RUNOPT' in changes:
        changes['RUNOPT'] = [*(host.get('RUNOPT') or []), *changes['RUNOPT']]
    if host.get('<RMTREF>') is not None:
        changes['<RMTCORE>'] = host['<RMTREF>']
    return changes
