"""The networks of a committee, all members at once: each weight has the member as its first index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aiida_mlkkr.ml.models.network.inputs import WIDTH, Contributions

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """Sizes of the networks.

    :param members: of the committee.
    :param hidden: neurons of a layer, of which there are ``layers``.
    :param gates: how many numbers of a contribution weigh its tensors.
    :param functions: radial functions of a channel.
    :param paths: for each l ≥ 1 the number of tensors P_l; empty for l = 0 alone.
    """

    members: int
    hidden: int
    layers: int
    gates: int
    functions: int
    paths: tuple[int, ...]

    @property
    def lmax(self) -> int:
        """Largest l of the channels."""
        return len(self.paths)


class Inputs:
    """Contributions as tensors on a device."""

    def __init__(self, table: Contributions, scale: FloatArray, device: torch.device) -> None:
        def tensor(array: NDArray[np.generic]) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        self.number = table.number
        self.site = tensor(table.site)
        self.features = tensor(table.features)
        self.impurity = tensor(table.impurity)
        self.host = tensor(table.host)
        own = table.own.astype(np.float64)
        self.parts = [tensor(table.strength * part)[:, None] for part in (own, 1.0 - own)]
        self.sign = tensor(table.sign)[:, None]
        ends = np.cumsum([of_l.shape[1] for of_l in table.tensors])
        scales = np.split(scale, ends[:-1])
        self.tensors = [tensor(of_l * its[:, None]) for of_l, its in zip(table.tensors, scales, strict=False)]


class Committee(nn.Module):
    """What all members say of sites, in units of the typical sizes of the outputs.

    A trunk shared by all contributions makes hidden numbers of the features; their difference between impurity and atom
    of the host is summed over the contributions to a site, as it is for the spin average and with the signs of the
    moments for the splitting. Linear heads, of their own for impurities on the site (0) and around it (1), make the
    coefficients of l = 0 and the moment of these sums. For l ≥ 1 the sums are over tensors weighed by gates, linear in
    the hidden numbers, and the heads mix what rotates alike.
    """

    def __init__(self, shape: Shape, seed: int) -> None:
        super().__init__()
        self.shape = shape
        generator = torch.Generator().manual_seed(seed)

        def weights(*sizes: int) -> nn.Parameter:
            values = torch.randn(shape.members, *sizes, generator=generator, dtype=torch.float64)
            return nn.Parameter(values / sizes[0] ** 0.5)

        def zeros(*sizes: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(shape.members, *sizes, dtype=torch.float64))

        sizes = [WIDTH, *[shape.hidden] * shape.layers]
        self.layers = nn.ParameterList([weights(*pair) for pair in pairwise(sizes)])
        self.biases = nn.ParameterList([zeros(1, size) for size in sizes[1:]])
        reach = shape.hidden + WIDTH
        self.heads = nn.ParameterList([zeros(reach, shape.functions) for _ in range(4)])
        self.moment_head = zeros(reach, 1)
        self.gates = nn.ParameterList([weights(reach, shape.gates) for _ in range(2 * shape.lmax)])
        self.tensor_heads = nn.ParameterList(
            [zeros(shape.gates * paths, shape.functions) for paths in shape.paths for _ in range(4)]
        )

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor, Tensor]:
        """Average and splitting, each (members, n, C, K), and moment (members, n)."""
        hidden = self._trunk(inputs.features)
        change = hidden[:, inputs.impurity] - hidden[:, inputs.host]
        own, around = (change * part for part in inputs.parts)
        moment = _summed(own * inputs.sign, inputs) @ self.moment_head
        channels = [self._channel_0(own, around, inputs)]
        channels += [self._channels(l, own, around, inputs) for l in range(1, self.shape.lmax + 1)]
        average, splitting = (torch.cat(parts, dim=2) for parts in zip(*channels, strict=True))
        return average, splitting, moment[..., 0]

    def _trunk(self, features: Tensor) -> Tensor:
        straight = features.expand(self.shape.members, -1, -1)
        hidden = straight
        for layer, bias in zip(self.layers, self.biases, strict=True):
            hidden = torch.tanh(torch.baddbmm(bias, hidden, layer))
        return torch.cat([hidden, straight], dim=2)

    def _channel_0(self, own: Tensor, around: Tensor, inputs: Inputs) -> list[Tensor]:
        found = []
        for sign, heads in ((None, self.heads[:2]), (inputs.sign, self.heads[2:])):
            parts = [part if sign is None else part * sign for part in (own, around)]
            sums = [_summed(part, inputs) @ head for part, head in zip(parts, heads, strict=True)]
            found.append((sums[0] + sums[1])[:, :, None])
        return found

    def _channels(self, l: int, own: Tensor, around: Tensor, inputs: Inputs) -> list[Tensor]:
        tensors, heads = inputs.tensors[l - 1], self.tensor_heads[4 * l - 4 : 4 * l]
        weighed = []
        for part, gate in zip((own, around), self.gates[2 * l - 2 : 2 * l], strict=True):
            products = (part @ gate)[:, :, :, None, None] * tensors[None, :, None]
            weighed.append(products.flatten(2, 3).transpose(2, 3).flatten(2))
        found = []
        for sign, its_heads in ((None, heads[:2]), (inputs.sign, heads[2:])):
            sums = [_summed(part if sign is None else part * sign, inputs) for part in weighed]
            apart = [
                one.reshape(*one.shape[:2], 2 * l + 1, -1) @ head[:, None]
                for one, head in zip(sums, its_heads, strict=True)
            ]
            found.append(apart[0] + apart[1])
        return found


def _summed(values: Tensor, inputs: Inputs) -> Tensor:
    """Sums (members, n, d) over the contributions (members, m, d) to each site."""
    total = torch.zeros(values.shape[0], inputs.number, values.shape[2], dtype=values.dtype, device=values.device)
    return total.index_add(1, inputs.site, values)


@contextmanager
def reproducible() -> Iterator[None]:
    """One thread and deterministic algorithms, whatever the caller has set; that is restored."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
