"""Models of impurity potentials behind one interface, found by their entry points.

Another model takes a file with a :class:`~aiida_mlkkr.ml.models.base.PotentialModel` and an entry point in the group
``aiida_mlkkr.potential_models``.
"""

from aiida_mlkkr.ml.models.base import Estimate as Estimate
from aiida_mlkkr.ml.models.base import Options as Options
from aiida_mlkkr.ml.models.base import PotentialModel as PotentialModel
from aiida_mlkkr.ml.models.base import Targets as Targets
from aiida_mlkkr.ml.models.registry import model_names as model_names
from aiida_mlkkr.ml.models.registry import model_type as model_type
