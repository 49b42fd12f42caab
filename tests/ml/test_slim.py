"""Datasets without symmetric sites: models learn the same from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from model_clusters import KIND, SITES, record

from aiida_mlkkr.ml.dataset import ImpurityDataset
from aiida_mlkkr.ml.emulator import training_rows
from aiida_mlkkr.ml.files import read_dataset
from aiida_mlkkr.ml.slim import different_sites

SHIPPED = Path(__file__).parents[1] / 'data' / 'fill' / 'cu_ag_impurities.safetensors'


@pytest.fixture(scope='module')
def shipped():
    return read_dataset(SHIPPED)


def test_the_shipped_dataset_is_what_its_readme_says(shipped):
    """Singles of thirteen sites have two different ones; every potential is converged."""
    assert {host.name for host in shipped.hosts} == {'Cu (alat 4.824)', 'Ag (alat 5.465)'}
    assert all(record.error == 0.0 for record in shipped.impurities)
    assert {len(record.z) for record in shipped.impurities if len(record.impurities) == 1} == {2}
    assert len({record.group for record in shipped.impurities}) == len(shipped.impurities)


@pytest.mark.parametrize(
    ('impurities', 'signs', 'different'),
    [
        ({0: 25.0}, {}, 2),
        ({0: 13.0}, {}, 2),
        ({0: 25.0, 1: 30.0}, {}, 6),
        ({0: 25.0, 1: 25.0}, {}, 6),
        ({0: 25.0, 1: 25.0}, {1: -1}, 6),
    ],
)
def test_models_learn_the_same(impurities, signs, different):
    dataset = ImpurityDataset(KIND, (record(impurities, signs=signs),))
    slim = different_sites(dataset)
    (cluster,) = slim.impurities
    assert len(cluster.z) == different < len(SITES)
    assert cluster.group == dataset.impurities[0].group
    (sites, targets), (its_sites, its_targets) = training_rows(dataset, 8), training_rows(slim, 8)
    assert its_sites.z.tolist() == sites.z.tolist()
    for name in ('average', 'splitting', 'moment'):
        np.testing.assert_allclose(getattr(its_targets, name), getattr(targets, name), atol=1e-12)
