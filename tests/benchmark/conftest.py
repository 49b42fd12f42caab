"""Cases whose potentials follow a simple law."""

from __future__ import annotations

import pytest
from model_clusters import KIND, host, record

from aiida_mlkkr.benchmark.cases import Case


@pytest.fixture(scope='package')
def cases() -> list[Case]:
    """Single impurities of the 3d row in two hosts."""
    hosts = (host(), host(47.0, alat=7.72))
    return [Case(KIND, record({0: float(z)}, of)) for of in hosts for z in (22, 24, 25, 26, 30)]
