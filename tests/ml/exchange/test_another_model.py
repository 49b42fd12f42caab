"""Another model takes a file and an entry point: the one of the documentation, in a package of its own."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from model_pairs import model_pairs

from aiida_mlkkr.ml.exchange.models import model_names
from aiida_mlkkr.ml.exchange.surrogate import ExchangeSurrogate

DOCUMENTATION = Path(__file__).parents[3] / 'docs' / 'source' / 'topics' / 'exchange_surrogates.md'


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package, with the code and the entry point that the documentation shows."""
    text = DOCUMENTATION.read_text('utf-8').split('## Another model')[1]
    code, declared = (re.findall(rf'```{kind}\n(.*?)```', text, re.DOTALL)[0] for kind in ('python', 'toml'))
    (tmp_path / 'nearest.py').write_text(code, 'utf-8')
    metadata = tmp_path / 'nearest-1.0.dist-info'
    metadata.mkdir()
    (metadata / 'METADATA').write_text('Metadata-Version: 2.1\nName: nearest\nVersion: 1.0\n')
    point = declared.splitlines()[1].replace("'", '')
    (metadata / 'entry_points.txt').write_text(f'[aiida_mlkkr.exchange_models]\n{point}\n')
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures('installed')
def test_it_is_found_calibrated_and_kept() -> None:
    assert 'nearest_distance' in model_names()
    pairs = model_pairs(noise=0.05)
    surrogate = ExchangeSurrogate.fit('nearest_distance', pairs)
    prediction = surrogate.predict(pairs)
    assert set(np.unique(prediction.j)) <= set(pairs.j)
    assert (np.abs(prediction.j - pairs.j) <= prediction.half_width).mean() > 0.8
    again = ExchangeSurrogate.from_arrays(*surrogate.to_arrays())
    np.testing.assert_array_equal(again.predict(pairs).j, prediction.j)
