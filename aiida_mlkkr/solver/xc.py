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

_FOUR_PI = 4.0 * np.pi
_SMALLEST = 1.0e-10  # of 4 pi n; below it JuKKR sets the VWN potential to zero
_SPIN_NORM = 1.0 / (2.0 ** (4.0 / 3.0) - 2.0)


@njit(cache=True, error_model='numpy', inline='always')
def _vwn_branch(x, x2, a, x0, b, c, q, c1, c2, c3):  # type: ignore[no-untyped-def]
    """Correlation energy per electron and chemical potential of one spin limit of VWN, with x = sqrt(rs)."""
    poly = x2 + b * x + c
    arc = np.arctan(q / (2.0 * x + b))
    away = x - x0
    energy = a * (np.log(x2 / poly) + c1 * arc - c3 * (np.log(away * away / poly) + c2 * arc))
    ratio = (x2 + b * x) / poly
    potential = energy - a / 3.0 * (1.0 - ratio - c3 * (x / away - ratio - x0 * x / poly))
    return energy, potential


@njit(cache=True, error_model='numpy', inline='always')
def _vwn_point(density4pi, s):  # type: ignore[no-untyped-def]
    """exc, v_down, v_up of VWN for 4 pi n and the spin polarisation s."""
    rs = np.cbrt(3.0 / density4pi)
    x = np.sqrt(rs)
    e_para, v_para = _vwn_branch(
        x, rs, 0.0621814, -0.10498, 3.72744, 12.9352, 6.1519908, 1.2117833, 1.1435257, -0.031167608
    )
    if s == 0.0:
        v = v_para - 1.221774 / rs
        return e_para - 0.9163306 / rs, v, v
    e_ferro, v_ferro = _vwn_branch(
        x, rs, 0.0310907, -0.32500, 7.06042, 18.0578, 4.7309269, 2.9847935, 2.7100059, -0.1446006
    )
    root_up = np.cbrt(1.0 + s)
    root_down = np.cbrt(1.0 - s)
    spin = ((1.0 + s) * root_up + (1.0 - s) * root_down - 2.0) * _SPIN_NORM
    spin_slope = 4.0 / 3.0 * (root_up - root_down) * _SPIN_NORM
    quartic = s * s * s * s - 1.0
    # interpolation between the spin limits: VWN's stiffness as a Pade form in x
    beta = 1.0 / (2.74208 + 3.182 * x + 0.09873 * rs + 0.18268 * rs * x)
    beta_slope = -(0.27402 * x + 0.09873 + 1.591 / x) * beta * beta  # d beta / d rs
    gap = e_ferro - e_para
    weight = spin * (1.0 + quartic * beta)
    exc = e_para + gap * weight - 0.9163306 / rs - 0.2381735 / rs * spin
    common = v_para + (v_ferro - v_para) * weight - gap * rs / 3.0 * beta_slope * quartic * spin
    along = gap * (spin_slope * (1.0 + quartic * beta) + beta * 4.0 * s * s * s * spin)  # d(ec)/ds
    v_up = common - along * (s - 1.0) - 1.221774 / rs * root_up
    v_down = common - along * (s + 1.0) - 1.221774 / rs * root_down
    return exc, v_down, v_up


@njit(cache=True, error_model='numpy', inline='always')
def _hedin_lundqvist(x):  # type: ignore[no-untyped-def]
    return (1.0 + x * x * x) * np.log(1.0 + 1.0 / x) + 0.5 * x - x * x - 1.0 / 3.0


@njit(cache=True, error_model='numpy', inline='always')
def _barth_hedin_point(density4pi, s, c_para, c_ferro, r_para, r_ferro):  # type: ignore[no-untyped-def]
    """exc, v_down, v_up of the von Barth-Hedin form for 4 pi n and the spin polarisation s."""
    rs = np.cbrt(3.0 / density4pi)
    corr_para = c_para * _hedin_lundqvist(rs / r_para)
    corr_ferro = c_ferro * _hedin_lundqvist(rs / r_ferro)
    log_para = c_para * np.log(1.0 + r_para / rs)
    log_ferro = c_ferro * np.log(1.0 + r_ferro / rs)
    stiffness = (corr_ferro - corr_para) * 4.0 / 3.0
    root_up = np.cbrt(1.0 + s)
    root_down = np.cbrt(1.0 - s)
    spin = ((1.0 + s) * root_up + (1.0 - s) * root_down - 2.0) * 0.5
    norm = 3.847322101863  # 1 / (2^(1/3) - 1)
    exchange = 1.221774115422 / rs
    e_para = -0.75 * exchange - corr_para
    e_ferro = -0.75 * exchange * 1.259921049899 - corr_ferro
    exc = e_para + (e_ferro - e_para) * spin * norm
    common = -log_para + (spin * (log_para - log_ferro + stiffness) + stiffness) * norm
    slope = -exchange - stiffness * norm
    return exc, common + root_down * slope, common + root_up * slope


@njit(cache=True, error_model='numpy')
def lsda_point(density: float, moment: float, kind: int) -> tuple[float, float, float]:
    """Exchange-correlation energy per electron and potentials (exc, v_down, v_up) at one point.

    ``density`` and ``moment`` in electrons/Bohr^3, ``kind`` a value of :data:`XC_KINDS`; results in Ry. Densities below
    1e-10/(4 pi), negative ones included, are raised to it, and |moment| is kept below the density. For Numba code only
    this and :func:`lsda` are public; neither checks ``kind``.
    """
    density4pi = _FOUR_PI * density
    moment4pi = _FOUR_PI * moment
    vanishing = not density4pi > _SMALLEST
    if vanishing:
        density4pi = _SMALLEST
    limit = density4pi - _SMALLEST
    if moment4pi > limit:
        moment4pi = limit
    elif moment4pi < -limit:
        moment4pi = -limit
    s = moment4pi / density4pi
    if kind == 2:
        exc, v_down, v_up = _vwn_point(density4pi, s)
        if vanishing:
            v_down = 0.0
            v_up = 0.0
    elif kind == 1:
        exc, v_down, v_up = _barth_hedin_point(density4pi, s, 0.0504, 0.0254, 30.0, 75.0)
    else:
        exc, v_down, v_up = _barth_hedin_point(density4pi, s, 0.045, 0.0225, 21.0, 52.916684096)
    return exc, v_down, v_up


@njit(cache=True, error_model='numpy')
def lsda(
    density: NDArray[np.float64], moment: NDArray[np.float64], kind: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Exchange-correlation energy per electron and potentials at many points.

    :param density: (n,) electrons/Bohr^3, both spins together
    :param moment: (n,) up minus down, electrons/Bohr^3; zeros for a spin-restricted density
    :param kind: a value of :data:`XC_KINDS`
    :return: exc, v_down, v_up, each (n,) in Ry; exc per electron, v = d(n exc)/dn_spin
    """
    n = density.shape[0]
    exc = np.empty(n)
    v_down = np.empty(n)
    v_up = np.empty(n)
    for i in range(n):
        exc[i], v_down[i], v_up[i] = lsda_point(density[i], moment[i], kind)
    return exc, v_down, v_up
