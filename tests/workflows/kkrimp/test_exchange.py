"""The step of exchange through the chain of restarts, with the embedded solver."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_mlkkr.calculations.exchange import exchange_tensors
from aiida_mlkkr.calculations.start import standard_start_potential
from aiida_mlkkr.campaign.hosts import host_clusters
from aiida_mlkkr.workflows.kkrimp.base import KkrimpBaseWorkChain


def test_exchange_of_two_impurities(writeout, kkrimp_code):
    (host,) = host_clusters([writeout])
    distances = np.linalg.norm(host.cluster.positions - host.cluster.positions[host.centre], axis=1)
    info = orm.Dict(host.impurity_info((host.centre, int(np.argsort(distances)[1])), (25, 26)))
    builder = KkrimpBaseWorkChain.get_builder()
    builder.kkrimp = {
        'code': kkrimp_code,
        'host_Greenfunction_folder': writeout.outputs.remote_folder,
        'impurity_info': info,
        'impurity_potential': standard_start_potential(writeout.outputs.retrieved, info, orm.List([4.0, -2.5])),
        'parameters': orm.Dict({'INS': 0, 'NSPIN': 2, 'CALCJIJMAT': 1, 'RUNFLAG': [], 'TESTFLAG': []}),
        'metadata': {
            'options': {
                'resources': {'num_machines': 1},
                'additional_retrieve_list': ['out_biquadratic'],
            }
        },
    }
    _, chain = run_get_node(builder)
    assert chain.is_finished_ok, chain.exit_message
    node, process = run_get_node(
        exchange_tensors,
        retrieved=chain.outputs.retrieved,
        output_parameters=chain.outputs.output_parameters,
        impurity_info=info,
        host_writeout=writeout.outputs.retrieved,
    )
    assert process.is_finished_ok, process.exit_message
    table = node.table
    assert table.method == 'mlkkr-kkrimp'
    assert table.elements == ('Mn', 'Fe')
    assert table.moments[0] > 2 > 0 > table.moments[1]
    np.testing.assert_allclose(np.linalg.norm(table.vectors, axis=1), 3.61 / np.sqrt(2), atol=0.002)
    (j,), (b,) = table.terms().j, table.biquadratic
    assert abs(j) > 10
    assert 0 < abs(b) < 0.3 * abs(j)
    assert not table.spread.any()
    np.testing.assert_allclose(table.tensors[0], j * np.eye(3), atol=1e-9)
    # the file is about the spin axes, the table about moments, which are antiparallel here
    raw = chain.outputs.retrieved.get_object_content('out_Jijmatrix').split('# coupling between  1  2')[1]
    first = float(raw.split('gen. Jij matrix is')[1].split()[0])
    assert j == pytest.approx(13605.693 * first, rel=1e-6)
