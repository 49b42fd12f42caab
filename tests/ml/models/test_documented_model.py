"""The model that the documentation gives as an example: it is one, and keeps the laws."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_clusters import KIND, record, row

from aiida_mlkkr.ml import emulator
from aiida_mlkkr.ml.emulator import EmulatorSettings, PotentialEmulator, training_rows

PAGE = Path(__file__).parents[3] / 'docs' / 'source' / 'topics' / 'models.md'


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Any:
    (code,) = re.findall(r'```python\n(import numpy.*?)```', PAGE.read_text(encoding='utf-8'), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), 'exec'), names)
    monkeypatch.setattr(emulator, 'model_type', lambda _: names['MeanImpurity'])
    return names['MeanImpurity']


def test_it_predicts_after_a_round_trip(model: Any) -> None:
    trained = PotentialEmulator.fit(row(), EmulatorSettings(model=model.name))
    loaded = PotentialEmulator.load(*trained.export())
    truth = record({0: 25.0})
    found = loaded.predict(KIND, truth.host, truth.positions, truth.layer, truth.z, truth.reference)
    assert found.moments[0] == pytest.approx(np.mean([one.moments[0] for one in row().impurities]))
    assert found.error[0] > 0.0
    np.testing.assert_array_equal(found.v[1], [truth.reference[1]] * 2)


def test_it_keeps_the_laws(model: Any) -> None:
    sites, targets = training_rows(row(), 8)
    trained = model.fit(sites, targets, model.options_type(), 0, None)
    estimate, flipped = trained.predict(sites), trained.predict(sites.with_signs_flipped())
    assert estimate.average[sites.changed].any()
    assert not estimate.average[~sites.changed].any()
    np.testing.assert_array_equal(flipped.splitting, -estimate.splitting)
    np.testing.assert_array_equal(flipped.average, estimate.average)
    np.testing.assert_array_equal(flipped.moment, -estimate.moment)
