"""Neighbours of many nodes at once: a few queries instead of one for each node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from aiida import orm

_BATCH = 500
"""Nodes of one query: databases limit the number of values in a condition."""


class Link(NamedTuple):
    """The pk of a node asked for, the label of the link, and what is asked of the node at its other end."""

    pk: int
    label: str
    other: Any


def inputs_of(
    pks: Iterable[int], node_class: type[orm.Node], labels: Collection[str] = (), project: str = '*'
) -> list[Link]:
    """Inputs of processes, their callers, or what made data.

    :param labels: of the links; all if empty.
    :param project: what to return of the inputs, the nodes themselves if not given.
    """
    return _links(pks, node_class, labels, project, 'with_outgoing')


def outputs_of(
    pks: Iterable[int], node_class: type[orm.Node], labels: Collection[str] = (), project: str = '*'
) -> list[Link]:
    """Outputs of processes, or the processes that they call; parameters as those of :func:`inputs_of`."""
    return _links(pks, node_class, labels, project, 'with_incoming')


def follow(pks: Iterable[int], step: Callable[[set[int]], Iterable[tuple[int, int]]]) -> dict[int, set[int]]:
    """All that can be reached from nodes in any number of steps: the next ones of each node.

    :param step: pairs of a node and its next one, for many nodes at once.
    """
    graph: dict[int, set[int]] = defaultdict(set)
    new = set(pks)
    while new:
        pairs = list(step(new))
        for pk, other in pairs:
            graph[pk].add(other)
        new = {other for _, other in pairs} - graph.keys() - new
    return dict(graph)


def reached(pk: int, graph: Mapping[int, Collection[int]]) -> set[int]:
    """All nodes that a graph of :func:`follow` leads to from one of them, without itself."""
    found: set[int] = set()
    new = {pk}
    while new:
        new = {other for node in new for other in graph.get(node, ())} - found
        found |= new
    return found


def projected(pks: Iterable[int], node_class: type[orm.Node], project: list[str]) -> Iterator[list[Any]]:
    """Properties of nodes, one row for each."""
    for batch in _batches(pks):
        yield from orm.QueryBuilder().append(node_class, filters={'id': {'in': batch}}, project=project).all()


def _links(
    pks: Iterable[int],
    node_class: type[orm.Node],
    labels: Collection[str],
    project: str,
    relation: Literal['with_incoming', 'with_outgoing'],
) -> list[Link]:
    conditions = {'label': {'in': list(labels)}} if labels else {}
    ends: dict[str, Any] = {relation: 'node'}
    found = []
    for batch in _batches(pks):
        query = orm.QueryBuilder()
        query.append(orm.Node, filters={'id': {'in': batch}}, project='id', tag='node')
        query.append(node_class, project=project, edge_filters=conditions, edge_project='label', **ends)
        found += [Link(pk, label, other) for pk, other, label in query.all()]
    return found


def _batches(pks: Iterable[int]) -> Iterator[list[int]]:
    wanted = sorted(set(pks))
    for begin in range(0, len(wanted), _BATCH):
        yield wanted[begin : begin + _BATCH]
