"""Models of exchange behind one interface, found by their entry points.

Another model takes a file with a :class:`~aiida_mlkkr.ml.exchange.models.base.PairModel` and an entry point in the
group ``aiida_mlkkr.exchange_models``.
"""

from __future__ import annotations

from typing import Final

from aiida_mlkkr.ml.exchange.models.base import PairEstimate as PairEstimate
from aiida_mlkkr.ml.exchange.models.base import PairModel as PairModel
from aiida_mlkkr.ml.installed import Installed

_INSTALLED: Final = Installed[PairModel]('aiida_mlkkr.exchange_models', 'model of exchange')

model_names: Final = _INSTALLED.names
model_type: Final = _INSTALLED.of_name
