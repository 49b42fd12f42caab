"""Radial meshes of hosts as plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.mesh import CellMesh, RadialMesh

FloatArray = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]


def meshes_to_arrays(meshes: Sequence[RadialMesh]) -> Arrays:
    """Meshes as plain arrays; those of cells have panels of shape functions, those of atomic spheres have none."""
    cells = [mesh for mesh in meshes if isinstance(mesh, CellMesh)]
    return {
        'host_mesh': np.array([[mesh.a, mesh.b] for mesh in meshes], dtype=np.float64).reshape(-1, 2),
        'host_points': np.array([mesh.n for mesh in meshes], dtype=np.int64),
        'host_panels': np.array([len(mesh.panels) - 1 for mesh in meshes], dtype=np.int64),
        'host_channels': np.array([mesh.channels for mesh in meshes], dtype=np.int64),
        'host_outermost': np.array([mesh.outermost for mesh in meshes], dtype=np.int64),
        'host_panel': np.array([points for mesh in cells for points in mesh.outer_panels], dtype=np.int64),
        'host_panel_r': _joined([mesh.outer_r for mesh in cells]),
        'host_panel_step': _joined([mesh.outer_step for mesh in cells]),
        'host_shape': _joined([mesh.theta.ravel() for mesh in cells]),
    }


def meshes_from_arrays(arrays: Arrays) -> list[RadialMesh]:
    """Take back what :func:`meshes_to_arrays` gave."""
    meshes: list[RadialMesh] = []
    panel = point = value = 0
    names = ('host_points', 'host_panels', 'host_channels', 'host_outermost')
    for (a, b), numbers in zip(arrays['host_mesh'], zip(*(arrays[name] for name in names), strict=True), strict=True):
        n, panels, channels, outermost = (int(number) for number in numbers)
        if not panels:
            meshes.append(RadialMesh(float(a), float(b), n))
            continue
        points = tuple(int(number) for number in arrays['host_panel'][panel : panel + panels])
        m = sum(points)
        theta = arrays['host_shape'][value : value + channels * m].reshape(channels, m)
        r, step = (arrays[name][point : point + m] for name in ('host_panel_r', 'host_panel_step'))
        meshes.append(CellMesh(float(a), float(b), n, r, step, points, theta, outermost))
        panel, point, value = panel + panels, point + m, value + channels * m
    if (panel, point, value) != tuple(len(arrays[name]) for name in ('host_panel', 'host_panel_r', 'host_shape')):
        raise ValueError('the panels of the shape functions are incomplete')
    return meshes


def _joined(parts: Sequence[FloatArray]) -> FloatArray:
    return np.concatenate(parts) if parts else np.empty(0)
