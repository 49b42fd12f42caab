"""Made-up results of the demo."""

from __future__ import annotations

import numpy as np

from aiida_mlkkr.demo.results import Impurity, Prediction, ScfResult, Solution
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.kkr.potential import AtomicPotential, CoreState, ImpurityPotential

MOMENT, CHARGE = 3.76605, 24.630716


def potential(shift: float = 0.0, b: float = 2e-4) -> ImpurityPotential:
    """A smooth potential of two sites and two spins, shifted by a constant (Ry)."""
    mesh = RadialMesh(a=0.02, b=b, n=401)
    atom = AtomicPotential(
        title='    POTENTIAL', rmt=2.0, alat=6.8, rmtnew=2.0, z=25.0, rws=2.66, efermi=0.66, vbc=0.0,
        mesh=mesh, core=(CoreState(0, -470.0),), v=10 * np.exp(-mesh.r) + shift,
    )  # fmt: skip
    return ImpurityPotential(((atom, atom), (atom, atom)))


def result(
    iterations: int,
    moment: float = MOMENT,
    charge: float = CHARGE,
    shift: float = 0.0,
    converged: bool = True,
    dropped: tuple[tuple[str, str], ...] = (),
    pks: tuple[int, ...] = (510,),
) -> ScfResult:
    """A self-consistency."""
    solution = Solution(np.array([charge, 29.031298]), moment, -42063.79467538, potential(shift))
    errors = np.geomspace(2.0, 5e-7 if converged else 1e-2, iterations)
    return ScfResult(pks, errors, 0.1 * iterations, solution if converged else None, dropped)


def make_impurity(
    symbol: str,
    default: tuple[int | ScfResult, int | ScfResult],
    tuned: tuple[int | ScfResult, int | ScfResult] = (16, 12),
    moment: float = MOMENT,
) -> Impurity:
    """An impurity whose runs, from the standard start and from the emulator's, took these iterations or were these."""
    runs = {
        (start, schedule): run if isinstance(run, ScfResult) else result(run, moment)
        for schedule, pair in (('default', default), ('tuned', tuned))
        for start, run in zip(('standard', 'emulator'), pair, strict=True)
    }
    prediction = Prediction(
        number=14,
        datasets=5.0,
        training=2.5,
        potential=potential(0.01),
        error=0.0123,
        charge=CHARGE + 0.1,
        moment=moment - 0.2,
    )
    return Impurity(symbol, potential(0.2), result(78, moment, pks=(314, 136)), runs, prediction)
