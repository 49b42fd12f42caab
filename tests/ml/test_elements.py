import numpy as np
import pytest

from aiida_mlkkr.kkr.elements import SYMBOLS
from aiida_mlkkr.ml.elements import FEATURES, element_features, gapless_group


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('Vc', (0, 0, 0, 0, 0)),
        ('H', (1, 1, 1, 0, 0)),
        ('He', (1, 18, 2, 0, 0)),
        ('Al', (3, 13, 3, 0, 0)),
        ('Mn', (4, 7, 2, 5, 0)),
        ('Cu', (4, 11, 2, 9, 0)),  # the Madelung rule keeps two s electrons
        ('Ge', (4, 14, 4, 10, 0)),
        ('Gd', (6, 3, 2, 0, 8)),
        ('Pt', (6, 10, 2, 8, 14)),
    ],
)
def test_known_elements(name: str, expected: tuple[int, ...]) -> None:
    assert element_features(SYMBOLS.index(name)).tolist() == list(expected)


@pytest.mark.parametrize('row', [range(3, 11), range(11, 19), range(19, 37)])
def test_gapless_group_goes_up_by_one(row: range) -> None:
    groups = [gapless_group(z) for z in row]
    np.testing.assert_array_equal(np.diff(groups), 1.0)
    assert groups[-1] == 18.0


@pytest.mark.parametrize('row', [range(19, 37), range(37, 55), range(55, 87)])
def test_features_do_not_step_back_along_a_row(row: range) -> None:
    features = np.array([element_features(z) for z in row])
    assert (np.diff(features[:, FEATURES.index('period')]) == 0).all()
    for name in ('group', 'sp electrons', 'd electrons', 'f electrons'):
        assert (np.diff(features[:, FEATURES.index(name)]) >= 0).all(), name
    electrons = features[:, 2:].sum(axis=1)
    np.testing.assert_array_equal(np.diff(electrons), 1)


def test_no_element() -> None:
    with pytest.raises(ValueError, match='no element with Z=-1'):
        element_features(-1)
