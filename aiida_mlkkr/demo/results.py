"""What the self-consistencies came to, and what the emulator saved: plain numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.potential import ImpurityPotential
from aiida_mlkkr.kkr.scf_summary import MAGNETIC_MOMENT

Floats = NDArray[np.float64]

CHARGE_TOLERANCE = 1e-4
MOMENT_TOLERANCE = 1e-3
POTENTIAL_TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class Solution:
    """A self-consistent solution.

    :param charges: electrons on every site of the cluster, the impurity first.
    :param moment: total spin moment of the cluster, in Bohr magnetons.
    :param energy: total energy in Ry.
    """

    charges: Floats
    moment: float
    energy: float
    potential: ImpurityPotential


@dataclass(frozen=True, eq=False)
class ScfResult:
    """One self-consistency.

    :param pks: node numbers: of the workchain, or of the calculations where there was none.
    :param errors: error of the potential in every iteration, those that led to nothing included, in Ry.
    :param seconds: run time of the code, all calculations together, as it measured itself.
    :param solution: None if it did not converge.
    :param dropped: the starts that were given up, and why.
    """

    pks: tuple[int, ...]
    errors: Floats
    seconds: float
    solution: Solution | None
    dropped: tuple[tuple[str, str], ...] = ()

    @property
    def iterations(self) -> int:
        """Number of iterations."""
        return len(self.errors)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What an emulator predicts of an impurity that it has not seen.

    :param number: of impurities that it was trained on.
    :param datasets, training: seconds that its datasets took, which other emulators share, and its training together
        with the prediction.
    :param potential: the predicted one.
    :param error: standard error that it expects of the potential on the impurity site, in Ry.
    :param charge: of the impurity site, as the predicted potential gives it in the first iteration.
    :param moment: total spin moment, likewise, in Bohr magnetons.
    """

    number: int
    datasets: float
    training: float
    potential: ImpurityPotential
    error: float
    charge: float
    moment: float


@dataclass(frozen=True, eq=False)
class Impurity:
    """Everything about one impurity.

    :param start: the standard start potential.
    :param jukkr: JuKKR's archived self-consistency, from the standard start.
    :param runs: by start and schedule; those that ended without any result are missing.
    :param prediction: None if the emulator did not predict.
    """

    symbol: str
    start: ImpurityPotential
    jukkr: ScfResult
    runs: Mapping[tuple[str, str], ScfResult]
    prediction: Prediction | None

    @property
    def reference(self) -> Solution:
        """JuKKR's solution."""
        assert self.jukkr.solution is not None
        return self.jukkr.solution

    @property
    def is_magnetic(self) -> bool:
        """Whether JuKKR found it magnetic."""
        return abs(self.reference.moment) >= MAGNETIC_MOMENT

    @property
    def solutions(self) -> dict[tuple[str, str], Solution]:
        """Those of the runs that converged."""
        return {key: run.solution for key, run in self.runs.items() if run.solution is not None}

    @property
    def solution(self) -> Solution | None:
        """The one to be shown: from the emulator with the default schedule, or another one if that did not converge."""
        return self.solutions.get(('emulator', 'default')) or next(iter(self.solutions.values()), None)

    @property
    def moment_spread(self) -> float:
        """Largest difference between the moments of the runs that converged, JuKKR's included, in Bohr magnetons."""
        moments = [self.reference.moment, *(solution.moment for solution in self.solutions.values())]
        return max(moments) - min(moments)

    @property
    def charge_deviation(self) -> float:
        """Largest absolute deviation of a site's charge from JuKKR's, of the runs that converged, in electrons."""
        return max(
            (float(np.abs(one.charges - self.reference.charges).max()) for one in self.solutions.values()), default=0.0
        )

    @property
    def potential_deviation(self) -> float:
        """Largest root mean square deviation from JuKKR's potential, of the runs that converged, in Ry."""
        return max(
            (potential_deviation(one.potential, self.reference.potential) for one in self.solutions.values()),
            default=0.0,
        )

    @property
    def agrees(self) -> bool:
        """Whether every run came to JuKKR's charges, moment and potential, within the tolerances of this module."""
        return (
            len(self.solutions) == len(self.runs)
            and self.moment_spread <= MOMENT_TOLERANCE
            and self.charge_deviation <= CHARGE_TOLERANCE
            and self.potential_deviation <= POTENTIAL_TOLERANCE
        )

    def saving(self, schedule: str) -> float | None:
        """Fraction of the iterations that the emulator saves; None if one of the runs has no result.

        Nothing is saved where a run did not converge, or where the two starts lead to different solutions.
        """
        runs = [self.runs.get((start, schedule)) for start in ('standard', 'emulator')]
        if runs[0] is None or runs[1] is None:
            return None
        standard, emulator = runs[0], runs[1]
        if standard.solution is None or emulator.solution is None:
            return 0.0
        if abs(standard.solution.moment - emulator.solution.moment) > MOMENT_TOLERANCE:
            return 0.0
        return 1.0 - emulator.iterations / standard.iterations


def median_saving(impurities: Iterable[Impurity], schedule: str) -> float | None:
    """Median of the savings; None if there is none."""
    savings = [saving for impurity in impurities if (saving := impurity.saving(schedule)) is not None]
    return median(savings) if savings else None


def potential_deviation(one: ImpurityPotential, other: ImpurityPotential) -> float:
    """Root of ∫(V_one − V_other)² r² dr / ∫ r² dr over all sites and spins, in Ry (spherical parts).

    :raises ValueError: the potentials do not live on the same sites, spins and meshes.
    """
    squares = volume = 0.0
    for site, site_other in zip(one.sites, other.sites, strict=True):
        for atom, atom_other in zip(site, site_other, strict=True):
            if atom.mesh != atom_other.mesh:
                raise ValueError('the potentials are given on different radial meshes')
            weight = atom.mesh.r**2 * atom.mesh.drdi
            squares += float(weight @ (atom.v - atom_other.v) ** 2)
            volume += float(weight.sum())
    return float(np.sqrt(squares / volume))
