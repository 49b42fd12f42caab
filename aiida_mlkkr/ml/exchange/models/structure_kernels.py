"""Kernel ridge regression from Coulomb matrices and SOAP: the models of the first studies of this problem."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.ml.exchange.kernel_ridge import KernelName, SiteKernel, best_hyperparameters, of_pairs, ridge_weights
from aiida_mlkkr.ml.exchange.models.base import Arrays, PairEstimate, PairModel
from aiida_mlkkr.ml.exchange.site_descriptors import DescriptorName, Frame, describe, sites_of
from aiida_mlkkr.ml.exchange.splits import dimers
from aiida_mlkkr.ml.models.base import Options
from aiida_mlkkr.ml.splits import grouped_folds

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class KernelOptions(Options):
    """The kernel of sites; without one the best of them by the inner cross-validation."""

    kernel: KernelName | None = None


class StructureKernel(PairModel):
    """A kernel ridge regression; the inner cross-validation keeps the two orders of a dimer together."""

    options_type: ClassVar[type[Options]] = KernelOptions
    descriptor: ClassVar[DescriptorName]

    @classmethod
    def choose(cls, pairs: Pairs, options: Any, seed: int) -> Arrays:
        """Kernel, ridge and γ."""
        clusters, numbers = sites_of(pairs)
        descriptors = describe(cls.descriptor, clusters, Frame.of(clusters))
        names = KERNELS if options.kernel is None else (options.kernel,)
        groups = dimers(pairs)
        found = [best_hyperparameters(SiteKernel(n, descriptors), numbers, pairs.j, groups, seed) for n in names]
        best = int(np.argmin([error for _, _, error in found]))
        return {'kernel': np.array([KERNELS.index(names[best])]), 'values': np.array(found[best])}

    def prepare(self) -> None:
        """Solve for the weights."""
        self._ridge, self._width, self._error = self.chosen['values'].tolist()
        self._clusters, self._numbers = sites_of(self.pairs)
        self._frame = Frame.of(self._clusters)
        self._kernel = self._kernel_in(self._frame)
        matrix = of_pairs(self._kernel.training(self._width), self._numbers, self._numbers)
        self._weights = ridge_weights(matrix, self.pairs.j, self._ridge)

    def predict(self, pairs: Pairs) -> PairEstimate:
        """The same error is expected of all."""
        clusters, numbers = sites_of(pairs)
        frame = self._frame.joined(Frame.of(clusters))
        kernel = self._kernel if frame == self._frame else self._kernel_in(frame)
        between = kernel.with_others(describe(self.descriptor, clusters, frame), self._width)
        mean = of_pairs(between, numbers, self._numbers) @ self._weights
        return PairEstimate(mean, np.full(len(pairs), self._error))

    def left_out(self) -> PairEstimate:
        """As of models of the other pairs, from the distances between sites that are there already."""
        mean = np.zeros(len(self.pairs))
        for fold in grouped_folds(self.pairs.element_pairs, self.folds, self.seed):
            sites = self._kernel.training(self._width, np.unique(self._numbers[fold.train]))
            matrix = of_pairs(sites, self._numbers, self._numbers[fold.train])
            weights = ridge_weights(matrix[fold.train], self.pairs.j[fold.train], self._ridge)
            mean[fold.test] = matrix[fold.test] @ weights
        return PairEstimate(mean, np.full(len(mean), self._error))

    def _kernel_in(self, frame: Frame) -> SiteKernel:
        name = KERNELS[int(self.chosen['kernel'][0])]
        return SiteKernel(name, describe(self.descriptor, self._clusters, frame))


KERNELS: tuple[KernelName, ...] = ('linear', 'gaussian', 'laplacian')
"""Kernels by their numbers in a model's arrays."""


class CoulombMatrixKernel(StructureKernel):
    """From Coulomb matrices."""

    name: ClassVar[str] = 'coulomb_matrix_krr'
    descriptor: ClassVar[DescriptorName] = 'coulomb_matrix'


class SoapKernel(StructureKernel):
    """From SOAP power spectra."""

    name: ClassVar[str] = 'soap_krr'
    descriptor: ClassVar[DescriptorName] = 'soap'


class CompressedSoapKernel(StructureKernel):
    """From SOAP power spectra with compressed (alchemical) species."""

    name: ClassVar[str] = 'compressed_soap_krr'
    descriptor: ClassVar[DescriptorName] = 'compressed_soap'
