"""What splits of pairs leave out."""

from __future__ import annotations

import numpy as np
import pytest
from model_pairs import model_pairs

from aiida_mlkkr.ml.errors import DatasetError
from aiida_mlkkr.ml.exchange.calibration import ConformalIntervals
from aiida_mlkkr.ml.exchange.metrics import pair_scores
from aiida_mlkkr.ml.exchange.moments import SiteMoments
from aiida_mlkkr.ml.exchange.splits import SPLITS, PairSplit, dimers, growing_training_sets, pair_folds


@pytest.mark.parametrize('split', SPLITS)
def test_nothing_left_out_is_in_the_training_rows(split: PairSplit) -> None:
    pairs = model_pairs()
    folds = pair_folds(pairs, split, 5, 3)
    labels = {
        'leaky': [str(row) for row in range(len(pairs))],
        'random': [str(row) for row in range(len(pairs))],
        'swap': dimers(pairs),
        'pair': pairs.element_pairs,
        'geometry': pairs.geometries,
    }
    elements = [name.split('-') for name in pairs.element_pairs]
    for fold in folds:
        assert sorted([*fold.train, *fold.test]) == list(range(len(pairs)))
        if split == 'element':
            assert not any(fold.name in elements[row] for row in fold.train)
            assert all(fold.name in elements[row] for row in fold.test)
        else:
            assert not {labels[split][row] for row in fold.train} & {labels[split][row] for row in fold.test}
    assert len(folds) == {'element': 13, 'geometry': 3}.get(split, 5)


def test_a_split_needs_two_classes() -> None:
    pairs = model_pairs()
    one = pairs.subset(np.array(pairs.element_pairs) == 'Cr-Mn')
    with pytest.raises(DatasetError, match='one class only'):
        pair_folds(one, 'pair', 5, 0)
    with pytest.raises(DatasetError, match='leaves nothing to learn from'):
        pair_folds(one, 'element', 5, 0)


def test_learning_curves_grow() -> None:
    pairs = model_pairs()
    fold = pair_folds(pairs, 'pair', 5, 0)[0]
    parts = [set(rows.tolist()) for rows in growing_training_sets(pairs, fold, (0.2, 0.5, 1.0), 0)]
    assert parts[0] < parts[1] < parts[2] == set(fold.train.tolist())


def test_moments_are_medians_of_training_rows_and_interpolated_where_there_are_none() -> None:
    pairs = model_pairs()
    without = pairs.subset(~(pairs.z == 25).any(axis=1))
    moments = SiteMoments.of_training(without)
    assert moments.of_elements(np.array([24, 25, 26])).tolist() == pytest.approx([3.8, 3.6, 3.4])
    assert moments.of_sites(np.array([[24, 42]]), np.array([[1, 7]])).tolist() == [[3.8, 2.6]]


def test_intervals_are_quantiles_of_each_class() -> None:
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1, 2], 2000)
    expected = rng.uniform(0.5, 2.0, len(classes))
    misses = expected * rng.normal(size=len(classes)) * np.array([0.1, 1.0, 3.0])[classes]
    intervals = ConformalIntervals.from_left_out(misses, expected, classes, 0.9)
    np.testing.assert_allclose(intervals.factors, 1.645 * np.array([0.1, 1.0, 3.0]), rtol=0.06)
    few = np.flatnonzero(classes < 2)[:2010]
    without = ConformalIntervals.from_left_out(misses[few], expected[few], classes[few], 0.9)
    together = np.sort(np.abs(misses[few]) / expected[few])[int(np.ceil(0.9 * 2011)) - 1]
    np.testing.assert_allclose(without.factors[1:], together, err_msg='too few, and none, take all')
    with pytest.raises(ValueError, match='between 0 and 1'):
        ConformalIntervals.from_left_out(misses, expected, classes, 1.0)


def test_scores_of_known_predictions() -> None:
    true, predicted = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0, 5.0])
    scores = pair_scores(true, predicted, np.ones(4), np.array([False, False, True, True]), 0.9)
    assert (scores.mae, scores.rmse, scores.magnetic_mae, scores.coverage) == (0.5, 1.0, 1.0, 0.75)
    assert scores.r2 == pytest.approx(1 - 4 / 5)
    assert scores.width == 2.0
    assert scores.interval_score == pytest.approx(2.0 + 20.0 / 4)
