"""Integration over the Brillouin zone: from the reference system to the Green function of the crystal.

With Δt = t − t_ref, τ(k) = (Δt⁻¹ − G_ref(k))⁻¹ and G(R) = Δt⁻¹ τ(R) Δt⁻¹ − δ_R0 Δt⁻¹ (Zeller, Dederichs, Újfalussy,
Szunyogh, Weinberger, Phys. Rev. B 52, 8807 (1995)). The points k = Σ_i (j_i/n_i) b_i lie on a regular mesh around Γ
and all R are lattice vectors, so that both Fourier transforms are fast ones, however many R are asked for.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
ComplexArray = NDArray[np.complex128]
Mesh = tuple[int, int, int]

COARSENING: Final = 1.4
"""Factor between one mesh and the next coarser one."""


def k_meshes(finest: Mesh, energies: ComplexArray) -> tuple[Mesh, ...]:
    """Return the mesh of each energy, coarser by one step whenever Im E doubles: the rule of KKRhost.

    :param finest: numbers of points along the reciprocal vectors at the energy next to the real axis, the last one.
    """
    steps: IntArray = np.maximum(np.trunc(1.001 + np.log2(energies.imag / energies[-1].imag)).astype(int), 1)
    steps[0] = steps.max()
    meshes = [finest]
    while len(meshes) < steps[0]:
        nx, ny, nz = (max(int(n / COARSENING), 1) for n in meshes[-1])
        meshes.append((nx, ny, nz))
    return tuple(meshes[step - 1] for step in steps)


def crystal_green_function(
    reference: ComplexArray, steps: IntArray, delta_t: ComplexArray, mesh: Mesh, wanted: IntArray
) -> ComplexArray:
    """Return the structural Green function between sites of the crystal, for one spin and energy.

    :param reference: Green function of the reference system, shape (n, lm, lm).
    :param steps: lattice vectors R_row − R_column it belongs to, shape (n, 3), in steps along the cell.
    :param delta_t: t − t_ref, diagonal, shape (lm,).
    :param wanted: lattice vectors wanted, shape (m, 3), in steps along the cell.
    :return: shape (m, lm, lm).
    """
    inverse: ComplexArray = 1 / delta_t
    minus_m = _to_k(reference, steps, mesh)
    diagonal = np.arange(inverse.size)
    minus_m[..., diagonal, diagonal] -= inverse
    tau = -np.asarray(np.linalg.inv(minus_m), dtype=np.complex128)
    green: ComplexArray = inverse[:, None] * _from_k(tau, wanted) * inverse
    green[np.ix_(~wanted.any(axis=1), diagonal, diagonal)] -= np.diag(inverse)
    return green


def _to_k(values: ComplexArray, steps: IntArray, mesh: Mesh) -> ComplexArray:
    """Σ_R exp(−ik·R) f(R) on the mesh, shape (nx, ny, nz, lm, lm)."""
    folded = np.zeros((*mesh, *values.shape[1:]), dtype=np.complex128)
    np.add.at(folded, tuple((steps % mesh).T), values)
    transformed: ComplexArray = np.fft.fftn(folded, axes=(0, 1, 2))
    return transformed


def _from_k(values: ComplexArray, steps: IntArray) -> ComplexArray:
    """Mean of exp(ik·R) f(k) over the mesh for each R, shape (m, lm, lm)."""
    transformed: ComplexArray = np.fft.ifftn(values, axes=(0, 1, 2))
    chosen: ComplexArray = transformed[tuple((steps % values.shape[:3]).T)]
    return chosen
