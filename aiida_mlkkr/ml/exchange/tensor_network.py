"""Networks that make J, D and S of pairs, a committee at once: each weight has the member as its first index.

Exchange is bilinear in what the two elements scatter, φ_a and φ_b, which one network makes of their places in the
periodic table and their moments; another makes the matrices between them of the invariants of the geometry:

    c_k(a, b, g) = φ_aᵀ M_k(g) φ_b ,    F(a, b, g) = [c_0 , Σ_k c_k X_k(g) , Σ_k c_k Q_k(g)] .

X and Q are mixtures of the axial vectors and quadrupoles of :mod:`aiida_mlkkr.ml.exchange.pair_bases`, so F turns with
the pair. J and S are the mean of F of both orders of the sites, D half of its difference: exchange of the sites leaves
J and S and reverses D.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import torch
from torch import Tensor, nn

Part = Literal['j', 'd', 's']

_RANK: Final = 6
_HIDDEN: Final = 32
_MIXED: Final = {'j': 1, 'd': 3, 's': 3}
"""How many numbers c_k a part has."""
_ODD: Final = ('d',)


@dataclass(frozen=True)
class Sizes:
    """Of the networks.

    :param members: of the committee; ``elements`` that were seen, and may deviate from their features.
    :param features: of an element; ``invariants`` of a geometry; ``bases`` of each part but J that is learnt.
    """

    members: int
    elements: int
    features: int
    invariants: int
    bases: Mapping[Part, int]


@dataclass(frozen=True, eq=False)
class Inputs:
    """e elements and g geometries, whose every combination the networks predict.

    :param features: shape (e, features); ``known`` which of the elements seen each is, one-hot, (e, elements).
    :param invariants: shape (g, 2, invariants).
    :param bases: of D (g, 2, bases, 3) and S (g, 2, bases, 9).
    """

    features: Tensor
    known: Tensor
    invariants: Tensor
    bases: Mapping[Part, Tensor]


class TensorNetworks(nn.Module):
    """The committee."""

    def __init__(self, sizes: Sizes, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)

        def weights(*shape: int) -> nn.Parameter:
            values = torch.randn(sizes.members, *shape, generator=generator, dtype=torch.float64)
            return nn.Parameter(values / shape[-2] ** 0.5)

        def layers(*widths: int) -> nn.ParameterList:
            return nn.ParameterList([weights(one + 1, other) for one, other in pairwise(widths)])

        self.parts: list[Part] = ['j', *sizes.bases]
        outputs = sum(_MIXED[part] for part in self.parts) * _RANK**2
        self.element = layers(sizes.features, _HIDDEN, _RANK)
        self.deviation = nn.Parameter(torch.zeros(sizes.members, sizes.elements, _RANK, dtype=torch.float64))
        self.geometry = layers(sizes.invariants, _HIDDEN, outputs)
        self.mixtures = nn.ParameterDict({part: weights(n, _MIXED[part]) for part, n in sizes.bases.items()})

    def forward(self, inputs: Inputs) -> dict[Part, Tensor]:
        """J (m, g, e, e, 1), D (m, g, e, e, 3) and S (m, g, e, e, 9)."""
        of_elements = _through(self.element, inputs.features) + inputs.known @ self.deviation
        g, numbers = len(inputs.invariants), [_MIXED[part] for part in self.parts]
        matrices = _through(self.geometry, inputs.invariants.reshape(2 * g, -1))
        matrices = matrices.reshape(-1, g, 2, sum(numbers), _RANK, _RANK) / _RANK
        c = torch.einsum('map,mgokpq,mbq->mgokab', of_elements, matrices, of_elements)
        found: dict[Part, Tensor] = {}
        for part, its in zip(self.parts, torch.split(c, numbers, dim=3), strict=True):
            values = its.permute(0, 1, 2, 4, 5, 3) if part == 'j' else self._turning(part, its, inputs)
            exchanged = values[:, :, 1].transpose(2, 3)
            found[part] = 0.5 * (values[:, :, 0] + (-exchanged if part in _ODD else exchanged))
        return found

    def _turning(self, part: Part, c: Tensor, inputs: Inputs) -> Tensor:
        mixed = torch.einsum('goxi,mxk->mgoki', inputs.bases[part], self.mixtures[part])
        return torch.einsum('mgokab,mgoki->mgoabi', c, mixed)


def _through(layers: Sequence[Tensor] | nn.ParameterList, inputs: Tensor) -> Tensor:
    """Layers, each with its bias as the last row, and tanh between them."""
    values = inputs.expand(layers[0].shape[0], -1, -1)
    for place, layer in enumerate(layers):
        values = torch.tanh(values) if place else values
        values = values @ layer[:, :-1] + layer[:, -1:]
    return values
