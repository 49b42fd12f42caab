"""Local spin-density exchange and correlation.

Three parametrisations, named as JuKKR's ``config.cfg`` names them: Vosko, Wilk and Nusair, Can. J. Phys. 58, 1200
(1980) (``LDA``, ``LDA-VWN``), von Barth and Hedin, J. Phys. C 5, 1629 (1972) (``LDA-vBH``), and its refit by Moruzzi,
Janak and Williams, *Calculated Electronic Properties of Metals* (1978) (``LDA-MJW``). The constants have JuKKR's number
of digits, as the total energies and potentials are compared with JuKKR's to the last printed digit.

Units: Rydberg and Bohr. Spin order: down, up; the moment is up minus down.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .elementary import atan2_acute, cbrt, log

VWN: Final = 2
VON_BARTH_HEDIN: Final = 1
MORUZZI_JANAK_WILLIAMS: Final = 0

#: The values of ``XC=`` in config.cfg that are local spin-density functionals (case-sensitive, as in JuKKR).
XC_KINDS: Final[dict[str, int]] = {
    'LDA': VWN,
    'LDA-VWN': VWN,
    'LDA-vBH': VON_BARTH_HEDIN,
    'LDA-MJW': MORUZZI_JANAK_WILLIAMS,
}

_inlined = njit(cache=True, error_model='numpy', fastmath={'contract'}, inline='always')

_FOUR_PI = 4.0 * np.pi
_SMALLEST = 1.0e-10  # of 4 pi n; below it JuKKR sets the VWN potential to zero
_SPIN_NORM = 1.0 / (2.0 ** (4.0 / 3.0) - 2.0)


@_inlined
def _vwn_branch(
    x: float, rs: float, a: float, x0: float, b: float, c: float, q: float, c1: float, c2: float, c3: float
) -> tuple[float, float]:
    """Correlation energy per electron and chemical potential of one spin limit of VWN, with x = sqrt(rs)."""
    poly = rs + b * x + c
    inverse = 1.0 / poly
    arc = atan2_acute(q, 2.0 * x + b)
    away = x - x0
    energy = a * (log(rs * inverse) + c1 * arc - c3 * (log(away * away * inverse) + c2 * arc))
    ratio = (rs + b * x) * inverse
    potential = energy - a / 3.0 * (1.0 - ratio - c3 * (x / away - ratio - x0 * x * inverse))
    return energy, potential


@_inlined
def _vwn_point(density4pi: float, s: float) -> tuple[float, float, float]:
    """exc, v_down, v_up of VWN for 4 pi n and the spin polarisation s."""
    inverse_rs = cbrt(density4pi * (1.0 / 3.0))
    rs = 1.0 / inverse_rs
    x = np.sqrt(rs)
    e_para, v_para = _vwn_branch(
        x, rs, 0.0621814, -0.10498, 3.72744, 12.9352, 6.1519908, 1.2117833, 1.1435257, -0.031167608
    )
    e_ferro, v_ferro = _vwn_branch(
        x, rs, 0.0310907, -0.32500, 7.06042, 18.0578, 4.7309269, 2.9847935, 2.7100059, -0.1446006
    )
    root_up, root_down = _spin_roots(s)
    spin = ((1.0 + s) * root_up + (1.0 - s) * root_down - 2.0) * _SPIN_NORM
    spin_slope = 4.0 / 3.0 * (root_up - root_down) * _SPIN_NORM
    quartic = s * s * s * s - 1.0
    # interpolation between the spin limits: VWN's stiffness as a Pade form in x
    beta = 1.0 / (2.74208 + 3.182 * x + 0.09873 * rs + 0.18268 * rs * x)
    beta_slope = -(0.27402 * x + 0.09873 + 1.591 * x * inverse_rs) * beta * beta  # d beta / d rs
    gap = e_ferro - e_para
    weight = spin * (1.0 + quartic * beta)
    exc = e_para + gap * weight - (0.9163306 + 0.2381735 * spin) * inverse_rs
    common = v_para + (v_ferro - v_para) * weight - gap * rs / 3.0 * beta_slope * quartic * spin
    along = gap * (spin_slope * (1.0 + quartic * beta) + beta * 4.0 * s * s * s * spin)  # d(ec)/ds
    v_up = common - along * (s - 1.0) - 1.221774 * inverse_rs * root_up
    v_down = common - along * (s + 1.0) - 1.221774 * inverse_rs * root_down
    return exc, v_down, v_up


@_inlined
def _spin_roots(s: float) -> tuple[float, float]:
    """Cube roots of 1 + s and 1 - s; of a tiny number instead of zero."""
    return cbrt(max(1.0 + s, 1.0e-60)), cbrt(max(1.0 - s, 1.0e-60))


@_inlined
def _hedin_lundqvist(x: float) -> float:
    result: float = (1.0 + x * x * x) * log(1.0 + 1.0 / x) + 0.5 * x - x * x - 1.0 / 3.0
    return result


@_inlined
def _barth_hedin_point(
    density4pi: float, s: float, c_para: float, c_ferro: float, r_para: float, r_ferro: float
) -> tuple[float, float, float]:
    """exc, v_down, v_up of the von Barth-Hedin form for 4 pi n and the spin polarisation s."""
    inverse_rs = cbrt(density4pi * (1.0 / 3.0))
    rs = 1.0 / inverse_rs
    corr_para = c_para * _hedin_lundqvist(rs / r_para)
    corr_ferro = c_ferro * _hedin_lundqvist(rs / r_ferro)
    log_para = c_para * log(1.0 + r_para * inverse_rs)
    log_ferro = c_ferro * log(1.0 + r_ferro * inverse_rs)
    stiffness = (corr_ferro - corr_para) * 4.0 / 3.0
    root_up, root_down = _spin_roots(s)
    spin = ((1.0 + s) * root_up + (1.0 - s) * root_down - 2.0) * 0.5
    norm = 3.847322101863  # 1 / (2^(1/3) - 1)
    exchange = 1.221774115422 * inverse_rs
    e_para = -0.75 * exchange - corr_para
    e_ferro = -0.75 * exchange * 1.259921049899 - corr_ferro
    exc = e_para + (e_ferro - e_para) * spin * norm
    common = -log_para + (spin * (log_para - log_ferro + stiffness) + stiffness) * norm
    slope = -exchange - stiffness * norm
    return exc, common + root_down * slope, common + root_up * slope


@_inlined
def _clipped(density: float, moment: float) -> tuple[float, float]:
    """4 pi n, not below the smallest density, and the spin polarisation, kept below one as in JuKKR."""
    density4pi = max(_FOUR_PI * density, _SMALLEST)
    limit = density4pi - _SMALLEST
    return density4pi, max(min(_FOUR_PI * moment, limit), -limit) / density4pi


@njit(cache=True, error_model='numpy', fastmath={'contract'})
def lsda(
    density: NDArray[np.float64], moment: NDArray[np.float64], kind: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Exchange-correlation energy per electron and potentials at many points.

    Densities below 1e-10/(4 pi), negative ones included, are raised to it, and the size of the moment
    is kept below the density.

    :param density: (n,) electrons/Bohr^3, both spins together
    :param moment: (n,) up minus down, electrons/Bohr^3; zeros for a spin-restricted density
    :param kind: a value of :data:`XC_KINDS`; not checked, as this is for Numba code, too
    :return: exc, v_down, v_up, each (n,) in Ry; exc per electron, v = d(n exc)/dn_spin
    """
    n = density.shape[0]
    exc = np.empty(n)
    v_down = np.empty(n)
    v_up = np.empty(n)
    # one loop for each functional, without branches: these become vector code
    if kind == VWN:
        for i in range(n):
            density4pi, s = _clipped(density[i], moment[i])
            exc[i], down, up = _vwn_point(density4pi, s)
            there = 1.0 if density4pi > _SMALLEST else 0.0
            v_down[i] = down * there
            v_up[i] = up * there
    elif kind == VON_BARTH_HEDIN:
        for i in range(n):
            density4pi, s = _clipped(density[i], moment[i])
            exc[i], v_down[i], v_up[i] = _barth_hedin_point(density4pi, s, 0.0504, 0.0254, 30.0, 75.0)
    else:
        for i in range(n):
            density4pi, s = _clipped(density[i], moment[i])
            exc[i], v_down[i], v_up[i] = _barth_hedin_point(density4pi, s, 0.045, 0.0225, 21.0, 52.916684096)
    return exc, v_down, v_up
