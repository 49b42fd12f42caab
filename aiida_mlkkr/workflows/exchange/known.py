"""Exchange that is there already: in nodes that are given, or in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from aiida import orm
from numpy.typing import NDArray

from aiida_mlkkr.calculations.folders import lattice_of
from aiida_mlkkr.data.exchange import ExchangeData
from aiida_mlkkr.exchange.matching import Match, find_pair
from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.spins.lattice import HostLattice
from aiida_mlkkr.workflows.exchange.dimers import dimer_key, finished_dimers
from aiida_mlkkr.workflows.imp_scf.writeout import kkr_calculation

Row = Mapping[str, Any]
"""A pair: its ``elements``, ``positions`` and ``impurity_info``."""


def found_exchange(
    host: orm.RemoteData, rows: Sequence[Row], common: Mapping[str, Any] | None
) -> dict[int, ExchangeData]:
    """By the numbers of the rows, exchange of clusters of these pairs in this host that are finished.

    :param common: inputs of the pairs to be computed, whose settings the others have to share; None if none are.
    """
    finished = finished_dimers()
    found = {number: finished.get(dimer_key(host, row['impurity_info'])) for number, row in enumerate(rows)}
    return {
        number: node.outputs.exchange for number, node in found.items() if node is not None and _is_alike(node, common)
    }


def given_exchange(
    host: orm.RemoteData, rows: Sequence[Row], given: Mapping[str, ExchangeData]
) -> dict[int, tuple[str, Match]]:
    """By the numbers of the rows, the label of the first node that has the pair, and where.

    In a host of one atom in the cell any pair that its symmetry makes equal serves. Else those of clusters have to be
    the very same cluster, and those of other nodes at the very places in the cell.
    """
    rotations = _rotations(host)
    tables = {label: node.table for label, node in given.items()}
    keys = {} if rotations is not None else {label: _key(node) for label, node in given.items()}
    found: dict[int, tuple[str, Match]] = {}
    for number, row in enumerate(rows):
        for label, table in tables.items():
            if keys.get(label) is not None:
                same = keys[label] == dimer_key(host, row['impurity_info'])
                match = Match(0, np.eye(3), False) if same else None
            else:
                match = find_pair(table, tuple(row['elements']), np.array(row['positions']), rotations)
            if match is not None:
                found[number] = label, match
                break
    return found


def kinds_of_places(host: orm.RemoteData, rows: Sequence[Row]) -> list[int]:
    """Kinds of places that pairs are on: atoms of the cell that no symmetry makes equal, ascending."""
    crystal = _crystal(host)
    atoms, _ = crystal.sites(np.array([row['positions'] for row in rows]).reshape(-1, 3))
    return sorted({*crystal.kinds[atoms].tolist()})


def _is_alike(node: orm.WorkChainNode, common: Mapping[str, Any] | None) -> bool:
    """Whether a cluster had the settings of the others, converged as far, and its moments were left free."""
    own, wanted = _settings(node), {} if common is None else _given(common['scf']['scf']['kkrimp'].get('parameters'))
    if _input(node, 'scf__magnetic_moments') is not None or own != wanted:
        return False
    schedule = _input(node, 'scf__schedule')
    reached = schedule['stages'][-1]['QBOUND']
    return common is None or reached <= common['scf']['schedule']['stages'][-1]['QBOUND']


def _settings(node: orm.WorkChainNode) -> dict[str, Any]:
    return _given(_input(node, 'scf__scf__kkrimp__parameters'))


def _given(parameters: orm.Dict | None) -> dict[str, Any]:
    return {} if parameters is None else {key: x for key, x in parameters.get_dict().items() if x is not None}


def _input(node: orm.WorkChainNode, label: str) -> Any:
    """The input of a label, with its namespaces; None if there is none."""
    return next((link.node for link in node.base.links.get_incoming().all() if link.link_label == label), None)


def _key(node: ExchangeData) -> tuple[Any, ...] | None:
    """That of the cluster that the exchange was computed in; None if it comes from elsewhere."""
    maker = node.creator
    if maker is None or 'impurity_info' not in maker.inputs:
        return None
    host = maker.inputs.host_writeout.creator.inputs.parent_folder
    return dimer_key(host, maker.inputs.impurity_info.get_dict())


def _rotations(host: orm.RemoteData) -> NDArray[np.float64] | None:
    """Of the host, if there is one atom in its cell."""
    crystal = _crystal(host)
    return crystal.operations[0] if len(crystal.elements) == 1 else None


def _crystal(host: orm.RemoteData) -> HostLattice:
    lattice = lattice_of(kkr_calculation(host).outputs.retrieved)
    return HostLattice(lattice.cell, tuple(symbol(z) for z in lattice.z), lattice.positions)
