"""Where pairs come from: kept by tables, files and what is done to them; drawn for errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.origins import Origins
from aiida_mlkkr.exchange.table import ExchangeTable
from aiida_mlkkr.exchange.tables import joined, read_csv

MODEL = 'a-model'


def table(number: int = 4, origins: Origins | None = None) -> ExchangeTable:
    """Pairs of their own sites, J from 1 meV on."""
    positions = np.zeros((2 * number, 3))
    positions[1::2, 0] = 2.5
    return ExchangeTable(
        host='a host',
        elements=('Mn', 'Fe') * number,
        positions=positions,
        moments=np.tile([4.0, -3.0], number),
        pairs=np.arange(2 * number).reshape(-1, 2),
        tensors=np.arange(1.0, number + 1.0)[:, None, None] * np.eye(3),
        method='a law',
        spread=np.zeros(number),
        origins=origins,
    )


@pytest.fixture
def predicted() -> ExchangeTable:
    of_d = np.array([0.0, np.nan, 0.2, 0.3])
    return table(
        4, Origins.of_model(MODEL, np.array([0.0, 0.5, 1.0, 2.0]), np.array([False, False, False, True]), of_d)
    )


def test_joined_with_computed_pairs_and_written_and_read(predicted: ExchangeTable, tmp_path: Path) -> None:
    known = table(2, Origins.computed(['one', 'two']))
    both = joined([known, predicted, table(1)])
    assert both.origins is not None
    assert both.origins.sources == ('one', 'two', *[MODEL] * 4, '')
    assert both.origins.predicted.tolist() == [False] * 2 + [True] * 4 + [False]
    both.write_csv(tmp_path / 'pairs.csv')
    again = read_csv(tmp_path / 'pairs.csv').origins
    assert again is not None
    assert again.sources == both.origins.sources
    for name in ('predicted', 'uncertainty', 'outside', 'd_uncertainty'):
        np.testing.assert_array_equal(getattr(again, name), getattr(both.origins, name))
    said = {'origin': 'predicted', 'source': MODEL, 'uncertainty_meV': 2.0, 'D_uncertainty_meV': 0.3, 'outside': True}
    assert both.rows()[5] | said == both.rows()[5]
    assert both.rows()[3]['D_uncertainty_meV'] is None, 'the model knows nothing of it'
    assert both.rows()[0]['D_uncertainty_meV'] == 0.0, 'computed'


def test_tables_of_one_calculation_say_nothing(tmp_path: Path) -> None:
    table().write_csv(tmp_path / 'pairs.csv')
    assert read_csv(tmp_path / 'pairs.csv').origins is None
    assert 'origin' not in table().rows()[0]
    assert joined([table(), table()]).origins is None


def test_turned_and_swapped_pairs_keep_their_origins(predicted: ExchangeTable) -> None:
    assert predicted.seen_from_the_other_site().origins is predicted.origins
    assert predicted.rotated(-np.eye(3)).origins is predicted.origins
    last = predicted.subset(np.array([False, False, False, True])).origins
    assert last is not None
    assert (last.sources, last.uncertainty.tolist(), last.outside.tolist()) == ((MODEL,), [2.0], [True])


def test_drawn_values_are_within_the_uncertainty_nine_times_of_ten(predicted: ExchangeTable) -> None:
    rng = np.random.default_rng(1)
    drawn = np.array([predicted.sampled(rng).terms().j for _ in range(4000)])
    mean, known = predicted.terms().j, predicted.origins
    assert known is not None
    assert np.ptp(drawn[:, 0]) == 0.0
    within = np.abs(drawn - mean) < known.uncertainty
    np.testing.assert_allclose(within[:, 1:].mean(axis=0), 0.9, atol=0.02)
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.08)
    assert table().sampled(rng).terms().j.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_contradictions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match='4 pairs, and origins of 3'):
        table(4, Origins.computed(['one'] * 3))
    with pytest.raises(ExchangeError, match='the uncertainty of a prediction'):
        replace(Origins.computed(['one']), uncertainty=np.array([1.0]))
    with pytest.raises(ExchangeError, match='not a number from 0 on'):
        Origins.of_model(MODEL, np.array([np.nan]), np.array([False]))
    with pytest.raises(ExchangeError, match='not a number from 0 on'):
        Origins.of_model(MODEL, np.array([1.0]), np.array([False]), np.array([-1.0]))
    with pytest.raises(ExchangeError, match='the uncertainty of a prediction'):
        replace(Origins.computed(['one']), d_uncertainty=np.array([np.nan]))
    with pytest.raises(ExchangeError, match='arrays of this length'):
        Origins.of_model(MODEL, np.array([1.0]), np.array([False, True]))
    path = tmp_path / 'pairs.csv'
    table(1, Origins.computed(['one'])).write_csv(path)
    path.write_text(path.read_text().replace('computed', 'guessed'))
    with pytest.raises(ExchangeError, match="computed or predicted expected, found 'guessed'"):
        read_csv(path)
