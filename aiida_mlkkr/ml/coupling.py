"""How harmonics of two orders are coupled to a third one (needs e3nn)."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from e3nn import o3
from numpy.typing import NDArray


@cache
def coupling(l1: int, l2: int, l: int) -> NDArray[np.float64]:
    """Coupling coefficients (2l1 + 1, 2l2 + 1, 2l + 1) of e3nn's real harmonics; those of l = 1 are x, y, z."""
    coefficients: NDArray[np.float64] = o3.wigner_3j(l1, l2, l, dtype=torch.float64).numpy()
    return coefficients
