"""The exponential radial mesh of the KKR codes."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RadialMesh:
    """Radial mesh r_i = b (exp(a (i - 1)) - 1), i = 1 ... n, in Bohr.

    In the atomic-sphere approximation the last point is the radius of the sphere. In full potential the formula
    holds up to the muffin-tin radius only; the points beyond belong to the shape functions.

    :raises ValueError: if a or b is not positive or there are fewer than two points.
    """

    a: float
    b: float
    n: int

    def __post_init__(self) -> None:
        if not (np.isfinite(self.a) and np.isfinite(self.b) and self.a > 0 and self.b > 0 and self.n >= 2):
            raise ValueError(f'a radial mesh needs a > 0, b > 0 and at least 2 points, not {self}')

    @cached_property
    def r(self) -> NDArray[np.float64]:
        """Radii (n,) in Bohr, r[0] = 0; read-only."""
        r: NDArray[np.float64] = self.b * (np.exp(self.a * np.arange(self.n)) - 1.0)
        r.flags.writeable = False
        return r

    @cached_property
    def drdi(self) -> NDArray[np.float64]:
        """Derivative dr/di (n,) with respect to the point index, in Bohr; read-only."""
        drdi: NDArray[np.float64] = self.a * self.b * np.exp(self.a * np.arange(self.n))
        drdi.flags.writeable = False
        return drdi

    @property
    def rmax(self) -> float:
        """Radius of the last point in Bohr."""
        return float(self.r[-1])
