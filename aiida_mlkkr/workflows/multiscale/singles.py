"""Single impurities of a host that a database has."""

from __future__ import annotations

from collections.abc import Iterable

from aiida import orm

from aiida_mlkkr.calculations.folders import writeout_of
from aiida_mlkkr.kkr.elements import SYMBOLS
from aiida_mlkkr.query import FinishedImpurity, find_impurities
from aiida_mlkkr.query.candidates import KKRIMP
from aiida_mlkkr.query.evidence import HOST_LINKS
from aiida_mlkkr.query.impurity import impurity_charges


def finished_singles(
    host: orm.RemoteData, elements: Iterable[str], site: int, code: orm.AbstractCode
) -> dict[str, FinishedImpurity]:
    """Converged and sane impurities alone in write-outs of a host, by element; the latest of each.

    :param site: atom of the host's cell that they replace.
    :param code: that has calculated them.
    """
    wanted = {float(SYMBOLS.index(element)) for element in elements}
    query = orm.QueryBuilder()
    query.append(orm.RemoteData, filters={'id': host.pk}, tag='host')
    query.append(orm.CalcJobNode, with_incoming='host', tag='writeout')
    query.append(orm.RemoteData, with_incoming='writeout', tag='greenfunction')
    query.append(
        orm.CalcJobNode,
        with_incoming='greenfunction',
        edge_filters={'label': {'in': list(HOST_LINKS)}},
        filters={'process_type': KKRIMP, 'attributes.exit_status': 0},
        project='*',
        tag='calculation',
    )
    query.append(orm.AbstractCode, with_outgoing='calculation', filters={'id': code.pk})
    alone = [node for node in query.all(flat=True) if _is_alone(node, wanted)]
    found = find_impurities(nodes=alone).usable
    return {one.elements[0]: one for one in found if _site_of(one) == site}


def _is_alone(calculation: orm.CalcJobNode, wanted: set[float]) -> bool:
    if 'impurity_info' not in calculation.inputs:
        return False
    charges = impurity_charges(calculation.inputs.impurity_info)
    return len(charges) == 1 and float(charges[0]) in wanted


def _site_of(impurity: FinishedImpurity) -> int:
    """The atom of the host's cell that it replaces."""
    cluster = writeout_of(impurity.host_writeout).with_impurities(impurity.impurity_info.get_dict())
    return int(cluster.layer[cluster.impurity_sites[0]]) - 1
