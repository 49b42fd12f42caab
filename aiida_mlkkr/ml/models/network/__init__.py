"""A committee of neural networks in torch, equivariant where potentials have channels beyond l = 0."""

from aiida_mlkkr.ml.models.network.model import Network as Network
from aiida_mlkkr.ml.models.network.model import NetworkOptions as NetworkOptions
