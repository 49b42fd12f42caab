"""Several Gaussian processes of the same observations in equal parts, where it is not known which one describes them.

Mean and variance are those of the mixture: the mean of the means, and the mean of the variances plus the variance of
the means, so that what the processes disagree on is not taken for sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.ml.contributions import Contributions
from aiida_mlkkr.ml.covariance import Covariance
from aiida_mlkkr.ml.gaussian_process import GaussianProcess

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of fitted processes of K outputs."""

    members: tuple[GaussianProcess, ...]

    @classmethod
    def condition(
        cls,
        contributions: Contributions,
        outputs: FloatArray,
        errors: FloatArray,
        covariances: Sequence[Covariance],
        rank: int,
    ) -> Mixture:
        """The processes with known covariances, see :meth:`GaussianProcess.condition`."""
        processes = (GaussianProcess.condition(contributions, outputs, errors, one, rank) for one in covariances)
        return cls(tuple(processes))

    @property
    def outputs(self) -> int:
        """K."""
        return len(self.members[0].amplitudes)

    def predict(self, asked: Contributions, zeros: Contributions | None = None) -> tuple[FloatArray, FloatArray]:
        """Mean and variance (n', K) of observations, see :meth:`GaussianProcess.predict`."""
        return self._mixed([member.predict(asked, zeros) for member in self.members])

    def left_out(self, *arguments: Any) -> tuple[FloatArray, FloatArray]:
        """As :meth:`predict` without the group of each observation, see :meth:`GaussianProcess.left_out`."""
        return self._mixed([member.left_out(*arguments) for member in self.members])

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Plain arrays, their names beginning with ``prefix``, that :meth:`from_arrays` takes back."""
        parts = (member.to_arrays(f'{prefix}_{number}') for number, member in enumerate(self.members))
        return {name: array for part in parts for name, array in part.items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], prefix: str, number: int) -> Mixture:
        """Take back what :meth:`to_arrays` gave, a number of processes.

        :raises ModelError: if the shapes do not fit together.
        """
        return cls(tuple(GaussianProcess.from_arrays(arrays, f'{prefix}_{one}') for one in range(number)))

    def _mixed(self, found: Sequence[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
        means = np.stack([mean for mean, _ in found])
        variances = [
            variance[:, None] * member.amplitudes for (_, variance), member in zip(found, self.members, strict=True)
        ]
        return means.mean(axis=0), np.mean(variances, axis=0) + means.var(axis=0)
