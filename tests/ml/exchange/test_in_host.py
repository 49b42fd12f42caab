"""Surrogates of one host: what they refuse, what symmetry makes alike, and what is kept of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from exchange_tables import HOST, SHELLS, A, all_pairs, dimer_table

from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.origins import Origins
from aiida_mlkkr.exchange.pairs import pairs_of_tables
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.exchange.in_host import ExchangeSettings, HostSurrogate, alike, learnable
from aiida_mlkkr.ml.files import read_model, write_model

QUICK = ExchangeSettings(options={'steps': 5})


def cube() -> np.ndarray:
    """The 48 operations of a cube."""
    signs = np.array(np.meshgrid(*[(1.0, -1.0)] * 3)).T.reshape(-1, 3)
    orders = ((0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0), (1, 0, 2))
    return np.array([np.diag(sign)[list(order)] for order in orders for sign in signs])


@pytest.fixture(scope='module')
def surrogate() -> HostSurrogate:
    pairs, host = learnable([dimer_table(all_pairs())])
    return HostSurrogate.fit(pairs, host, QUICK, cube())


def test_what_a_file_keeps(surrogate: HostSurrogate, tmp_path) -> None:
    write_model(tmp_path / 'model', *surrogate.export())
    arrays, spec = read_model(tmp_path / 'model')
    again = HostSurrogate.load(arrays, spec)
    write_model(tmp_path / 'again', *again.export())
    assert (tmp_path / 'model').read_bytes() == (tmp_path / 'again').read_bytes()
    pairs = surrogate.surrogate.model.pairs
    one, other = (model.predict(pairs, HOST) for model in (surrogate, again))
    np.testing.assert_array_equal(one.j, other.j)
    np.testing.assert_array_equal(one.half_width, other.half_width)
    assert (spec.task, spec.model, spec.hosts, spec.number) == ('exchange', 'gaussian_process', [HOST], 45)
    assert spec.elements == ['V', 'Cr', 'Mn', 'Fe', 'Co']
    assert again.report['number'] == 45
    assert 0.9 <= again.report['coverage'] <= 1.0, 'the calibration covers what it was made of'


def test_equal_by_symmetry_is_equal_to_the_model(surrogate: HostSurrogate) -> None:
    """Any of the 12 neighbours on the second shell, in both directions."""
    directions = [(0.0, A, A), (-A, 0.0, A), (0.0, -A, -A), (A, A, 0.0)]
    found = surrogate.predict(pairs_of_tables([dimer_table([(25, 26)], directions)]), HOST)
    assert np.ptp(found.j) < 1e-9
    assert not found.outside.any()
    swapped = surrogate.predict(pairs_of_tables([dimer_table([(26, 25)], directions)]), HOST)
    np.testing.assert_allclose(swapped.j, found.j, atol=1e-9)


def test_alike_pairs_have_equal_vectors_of_the_same_length() -> None:
    pairs = pairs_of_tables([dimer_table([(25, 26)], [(1.0, 2.0, 3.0), (-3.0, 1.0, 2.0), (2.0, -1.0, -3.0)])])
    turned = alike(pairs, cube())
    np.testing.assert_allclose(turned.vectors, [[3.0, 2.0, 1.0]] * 3, atol=1e-12)
    without = alike(pairs, np.eye(3)[None])
    np.testing.assert_allclose(without.vectors, [[1.0, 2.0, 3.0], [3.0, -1.0, -2.0], [2.0, -1.0, -3.0]], atol=1e-12)


def test_pairs_with_d_are_left_as_they_are() -> None:
    """D turns with the pair, which models of it know by their construction."""
    pairs, host = learnable([dimer_table(all_pairs(), [(0.0, 0.0, -A), (0.0, A, A)])])
    kept = HostSurrogate.fit(replace(pairs, d=pairs.vectors), host, QUICK, cube())
    np.testing.assert_array_equal(kept.surrogate.model.pairs.vectors, pairs.vectors)
    np.testing.assert_array_equal(kept.surrogate.model.pairs.d, pairs.vectors)
    turned = HostSurrogate.fit(pairs, host, QUICK, cube())
    assert {tuple(vector) for vector in turned.surrogate.model.pairs.vectors.tolist()} == {(A, 0.0, 0.0), (A, A, 0.0)}


def test_outside_of_what_was_learnt_is_flagged(surrogate: HostSurrogate) -> None:
    known, element, far = (
        surrogate.predict(pairs_of_tables([dimer_table([both], [vector])]), HOST).outside[0]
        for both, vector in (((25, 25), SHELLS[0]), ((25, 42), SHELLS[0]), ((25, 25), (3 * A, 0.0, 0.0)))
    )
    assert (known, element, far) == (False, True, True)


def test_predictions_are_not_learnt_from() -> None:
    number = len(SHELLS)
    guessed = dimer_table([(25, 25)], origins=Origins.of_model('m', np.ones(number), np.zeros(number, bool)))
    pairs, _ = learnable([dimer_table([(24, 24)]), guessed])
    assert len(pairs) == number
    with pytest.raises(ExchangeError, match='all pairs are predicted'):
        learnable([guessed])
    with pytest.raises(ExchangeError, match='pairs of one set are in one host'):
        learnable([dimer_table([(24, 24)]), dimer_table([(24, 24)], host='another')])
    with pytest.raises(ExchangeError, match='no tables'):
        learnable([])


def test_what_is_refused(surrogate: HostSurrogate) -> None:
    arrays, spec = surrogate.export()
    with pytest.raises(ModelError, match='has learnt pairs in model crystal, these are in Ag'):
        surrogate.predict(surrogate.surrogate.model.pairs, 'Ag')
    with pytest.raises(ModelError, match='a model for impurity_potential, one for exchange is needed'):
        HostSurrogate.load(arrays, spec.model_copy(update={'task': 'impurity_potential'}))
    with pytest.raises(ModelError, match='another convention'):
        HostSurrogate.load(arrays, spec.model_copy(update={'kind': {'hamiltonian': 'H = +'}}))
    with pytest.raises(ModelError, match='the spec of the model is not valid: surrogate'):
        HostSurrogate.load(arrays, spec.model_copy(update={'details': {'settings': {}, 'report': {}}}))
    short = {**arrays, 'chosen_hyperparameters': arrays['chosen_hyperparameters'][:2]}
    changed = {**spec.arrays, 'chosen_hyperparameters': spec.arrays['pairs_j'].model_copy(update={'shape': (2,)})}
    with pytest.raises(ModelError, match='hyperparameters expected'):
        HostSurrogate.load(short, spec.model_copy(update={'arrays': changed}))
    with pytest.raises(ValueError, match='no model of exchange'):
        ExchangeSettings(model='oracle')


def test_one_pair_of_elements_is_too_little() -> None:
    pairs, host = learnable([dimer_table([(25, 25)])])
    with pytest.raises(ModelError, match='at least two different pairs'):
        HostSurrogate.fit(pairs, host, QUICK)
    with pytest.raises(ModelError, match='not finite'):
        HostSurrogate.fit(
            replace(pairs, j=pairs.j * np.nan, z=pairs.z + np.array([[0, 0], [0, 1], [0, 2]])), host, QUICK
        )
