"""aiida-kkr's ``impurity_info``: whether two of them mean the same sites of the host.

A write-out of the host's Green function belongs to one set of sites. aiida-kkr takes it for other impurities if their
``impurity_info`` gives the same sites in the same words: the same keys (``Rcut`` …), or the same ``imp_cls``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from aiida_mlkkr.kkr.cluster import ImpurityCluster

_KEYS: Final = ('Rcut', 'hcut', 'cylinder_orient', 'Rimp_rel')
_DECIMALS: Final = 5
"""To which aiida-kkr rounds before it compares."""


def sites_asked(info: Mapping[str, Any]) -> dict[str, Any]:
    """What an ``impurity_info`` says of the sites, without the nuclear charges of the impurities.

    Equal results mean equal clusters, which can share one write-out.
    """
    if info.get('imp_cls') is not None:
        return {'imp_cls': _rows(info['imp_cls'])}
    return {key: info.get(key) for key in _KEYS} | {'ilayer_center': info.get('ilayer_center', 0)}


def sites_mismatch(info: Mapping[str, Any], written: Mapping[str, Any], cluster: ImpurityCluster) -> str:
    """In what an ``impurity_info`` and a write-out of the host differ; '' if they fit.

    :param info: of the impurity.
    :param written: of the write-out.
    :param cluster: sites of the write-out (its file ``scoef``).
    """
    asked = sites_asked(info)
    if 'imp_cls' in asked:
        there = _rows(cluster.table())
        if asked['imp_cls'] == there:
            return ''
        return f'imp_cls has {len(asked["imp_cls"])} sites, which are not the {len(there)} sites of the write-out'
    given = sites_asked(written)
    if 'imp_cls' in given:
        return 'the sites of the write-out are given by imp_cls, but those of the impurity are not'
    differing = [key for key in asked if asked[key] != given[key]]
    return '; '.join(f'{key} is {asked[key]}, that of the write-out is {given[key]}' for key in differing)


def _rows(table: Any) -> list[list[float]]:
    """Positions and layers of a site table, as aiida-kkr compares them."""
    rows: list[list[float]] = (np.round(np.array(table, dtype=np.float64, ndmin=2)[:, :4], _DECIMALS) + 0.0).tolist()
    return rows
