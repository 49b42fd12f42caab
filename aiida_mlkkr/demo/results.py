"""The numbers of an impurity's self-consistency, read from its calculations, and how two of them compare."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential

if TYPE_CHECKING:
    from aiida.orm import CalcJobNode

CHARGE_TOLERANCE = 1e-4
MOMENT_TOLERANCE = 1e-3
POTENTIAL_TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class ImpurityResult:
    """Outcome of a self-consistency that went through one or more calculations.

    :param pks: node numbers of the calculations.
    :param errors: error of the potential in every iteration.
    :param stage_ends: number of iterations after which each calculation ended.
    :param charges: electrons on every site of the cluster, the impurity first.
    :param moment: total spin moment of the cluster, in Bohr magnetons.
    :param energy: total energy in Ry.
    :param seconds: run time of the code, all calculations together, as it measured itself.
    :param potential: the converged potential.
    :param sane: whether the parser checked the last result for physical sanity and found nothing wrong; archived
        results of other parsers were not checked.
    """

    symbol: str
    pks: tuple[int, ...]
    errors: NDArray[np.float64]
    stage_ends: tuple[int, ...]
    charges: NDArray[np.float64]
    moment: float
    energy: float
    seconds: float
    potential: ImpurityPotential
    sane: bool

    @property
    def iterations(self) -> int:
        """Number of iterations of all calculations together."""
        return len(self.errors)


@dataclass(frozen=True, eq=False)
class Comparison:
    """An impurity computed here beside JuKKR's archived result."""

    ours: ImpurityResult
    jukkr: ImpurityResult

    @property
    def charge_deviation(self) -> float:
        """Ours minus JuKKR's charge of the impurity site, in electrons."""
        return float(self.ours.charges[0] - self.jukkr.charges[0])

    @property
    def largest_charge_deviation(self) -> float:
        """Largest absolute deviation of a site's charge, in electrons."""
        return float(np.abs(self.ours.charges - self.jukkr.charges).max())

    @property
    def moment_deviation(self) -> float:
        """Ours minus JuKKR's total moment, in Bohr magnetons."""
        return self.ours.moment - self.jukkr.moment

    @property
    def energy_deviation(self) -> float:
        """Ours minus JuKKR's total energy, in Ry."""
        return self.ours.energy - self.jukkr.energy

    @property
    def potential_deviation(self) -> float:
        """Root mean square deviation of the converged potentials, in Ry."""
        return potential_deviation(self.ours.potential, self.jukkr.potential)

    @property
    def agrees(self) -> bool:
        """Whether charges, moment and potential are the same within the tolerances of this module."""
        return (
            self.largest_charge_deviation <= CHARGE_TOLERANCE
            and abs(self.moment_deviation) <= MOMENT_TOLERANCE
            and self.potential_deviation <= POTENTIAL_TOLERANCE
        )


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


def result_of(symbol: str, calculations: Sequence[CalcJobNode]) -> ImpurityResult:
    """Read the outcome of finished calculations that continue one another."""
    outputs = [node.outputs.output_parameters.get_dict() for node in calculations]
    histories = [output['convergence_group']['rms_all_iterations'] for output in outputs]
    last = outputs[-1]
    checks = last.get('mlkkr_group', {})
    potential = calculations[-1].outputs.retrieved.base.repository.get_object_content('out_potential')
    return ImpurityResult(
        symbol=symbol,
        pks=tuple(node.pk for node in calculations if node.pk is not None),
        errors=np.concatenate([np.asarray(history, dtype=float) for history in histories]),
        stage_ends=tuple(np.cumsum([len(history) for history in histories]).tolist()),
        charges=np.asarray(last['total_charge_per_atom'], dtype=float),
        moment=float(last['magnetism_group']['total_spin_moment']),
        energy=float(last['total_energy_Ry']),
        seconds=float(sum(output['timings_group']['Total running time'] for output in outputs)),
        potential=read_potential(io.StringIO(potential)),
        sane=bool(checks.get('sanity_checked')) and not checks.get('problems'),
    )
