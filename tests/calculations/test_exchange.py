"""Exchange tensors as a node: from JuKKR's real file, and from a run of the embedded solver."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

JIJ = gzip.decompress((Path(__file__).parents[1] / 'data' / 'kkr' / 'mn_pair_out_Jijmatrix.gz').read_bytes())


@pytest.fixture(scope='module')
def inputs(folder, pair, archived_output):
    """The Mn pair: its geometry is that of the pair with spin-orbit coupling, whose tensors these are."""
    import json

    from aiida import orm

    spin_orbit = json.loads(archived_output('mn_pair_spin_orbit')['reference.json'])
    results = spin_orbit.get('output_parameters', spin_orbit)
    assert results['magnetism_group']['spin_moment_per_atom']
    return {
        'retrieved': folder(out_Jijmatrix=JIJ),
        'output_parameters': orm.Dict({'magnetism_group': results['magnetism_group']}).store(),
        'impurity_info': pair['impurity_info'],
        'host_writeout': pair['host_writeout'],
    }


def run(inputs, **changes):
    from aiida.engine import run_get_node

    from aiida_mlkkr.calculations.exchange import exchange_tensors

    return run_get_node(exchange_tensors, **{**inputs, **changes})


def test_jukkrs_pair(inputs):
    from aiida import orm

    node, process = run(inputs)
    assert process.is_finished_ok
    node = orm.load_node(node.uuid)
    assert node.base.attributes.get('elements') == ['Mn', 'Mn']
    assert node.base.attributes.get('host').startswith('Cu (alat 4.8')
    assert 'D·(e_i×e_j)' in node.base.attributes.get('hamiltonian')
    (row,) = node.to_dataframe().to_dict('records')
    assert row['method'] == 'JuKKR'
    assert row['J_meV'] == pytest.approx(-118.9, abs=0.05)
    assert row['distance_A'] == pytest.approx(3.61 / np.sqrt(2), abs=0.001)
    assert abs(row['moment_i_muB']) == pytest.approx(3.165, abs=0.001)
    assert max(abs(row[f'D{axis}_meV']) for axis in 'xyz') < 1e-3


@pytest.mark.parametrize(
    ('files', 'why'),
    [
        ({}, 'it was not retrieved'),
        ({'out_Jijmatrix': JIJ[:3000]}, 'no complete set of exchange matrices'),
        ({'out_Jijmatrix': JIJ, 'out_biquadratic': '# nothing\n'}, 'pairs of the 2 sites are missing'),
    ],
)
def test_incomplete_files(inputs, folder, files, why):
    _, process = run(inputs, retrieved=folder(**files))
    assert process.exit_status == 310
    assert why in process.exit_message


def test_files_of_another_cluster(inputs, folder, copper):
    from aiida import orm

    _, process = run(inputs, host_writeout=copper['Mn']['host_writeout'])
    assert process.exit_status == 310
    assert '2 sites and 2 moments, but the cluster has 13' in process.exit_message
    _, process = run(inputs, output_parameters=orm.Dict({}))
    assert (process.exit_status, '0 moments' in process.exit_message) == (310, True)
    _, process = run(inputs, host_writeout=folder(out_potential='rubbish'))
    assert process.exit_status == 210
    one = orm.Dict({'Zimp': [25, 29], 'Rimp_rel': [[0, 0, 0], [0.70710678, 0.70710678, 0]]})
    _, process = run(inputs, impurity_info=one)
    assert process.exit_status == 211
    assert 'two impurities' in process.exit_message
    far = orm.Dict({'Zimp': [25, 25], 'Rimp_rel': [[0, 0, 0], [3.0, 0, 0]]})
    _, process = run(inputs, impurity_info=far)
    assert process.exit_status == 211
