from typing import Any

import numpy as np
import pytest
from model_clusters import KIND, host, row

from aiida_mlkkr.ml.dataset import ImpurityDataset
from aiida_mlkkr.ml.emulator import training_rows
from aiida_mlkkr.ml.judgement import judge
from aiida_mlkkr.ml.models import Estimate, Options, PotentialModel, Targets
from aiida_mlkkr.ml.sites import Sites

FUNCTIONS = 8
AG = host(47.0, alat=7.73)
BOTH = ImpurityDataset(KIND, (*row().impurities, *row(AG).impurities))


class Told(PotentialModel):
    """Left out, it is off by one standard error, by two with a moment, and by six if the host is left out."""

    name, options_type, unseen_host, closed_form = 'told', Options, 1.7, True

    @classmethod
    def fit(cls, *_: Any) -> Any:
        raise NotImplementedError

    from_arrays = fit  # type: ignore[assignment]

    def predict(self, sites: Sites) -> Estimate:
        raise NotImplementedError

    def to_arrays(self) -> Any:
        raise NotImplementedError

    def left_out(self, sites: Sites, targets: Targets, options: Any, seed: int) -> Estimate:
        hosts_left_out = len(np.unique(targets.group)) == len(np.unique(sites.host))
        off = np.where(np.abs(targets.moment) > 0.25, 2.0, 1.0) * (6.0 if hosts_left_out else 1.0)
        average = targets.average.copy()
        average[:, 0, 0] += 0.01 * off
        return Estimate(average, targets.splitting, targets.moment + 0.1, np.full(len(sites), 1e-4))


def factors(dataset: ImpurityDataset, model: PotentialModel) -> dict[str, float]:
    return judge(model, *training_rows(dataset, FUNCTIONS), Options(), 0)[0]


def test_factors_make_errors_right_where_they_are() -> None:
    assert factors(row(), Told()) == pytest.approx({'own': 1.0, 'magnetic': 2.0, 'around': 1.0, 'unseen_host': 1.7})


def test_several_hosts_tell_what_to_expect_in_another() -> None:
    """Unless a model cannot say it without training: then it is what was measured for it."""
    assert factors(BOTH, Told())['unseen_host'] == pytest.approx(6.0)
    other = Told()
    other.closed_form = False  # type: ignore[misc]
    assert factors(BOTH, other)['unseen_host'] == 1.7
