"""Processes that an earlier demo has run or begun, found by their inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aiida_mlkkr import __version__

if TYPE_CHECKING:
    from aiida.orm import Node, ProcessNode


def find_process(label: str, inputs: Mapping[str, Any]) -> ProcessNode | None:
    """A process of this version of the package with these inputs that is finished or under way, finished ones first.

    :param label: name of the process.
    :param inputs: nodes, also in nested namespaces; one of them at least has to be stored. Those that are not stored
        are compared by content. What is not given may have any value.
    """
    from aiida import orm

    wanted = dict(flat_inputs(inputs))
    name, stored = next((name, node) for name, node in wanted.items() if node.is_stored)
    query = orm.QueryBuilder()
    query.append(orm.Node, filters={'id': stored.pk}, tag='input')
    query.append(
        orm.ProcessNode,
        with_incoming='input',
        edge_filters={'label': name},
        filters={'attributes.process_label': label, 'attributes.version.plugin': __version__},
    )
    candidates = [
        node
        for node in query.all(flat=True)
        if _is_of_use(node) and all(_has_input(node, *item) for item in wanted.items())
    ]
    return min(candidates, key=lambda node: (not node.is_finished_ok, -node.pk), default=None)


def flat_inputs(inputs: Mapping[str, Any], prefix: str = '') -> Iterator[tuple[str, Node]]:
    """The nodes among nested inputs, with the labels of their links."""
    from aiida.orm import Node

    for name, value in inputs.items():
        if isinstance(value, Node):
            yield prefix + name, value
        elif isinstance(value, Mapping):
            yield from flat_inputs(value, f'{prefix}{name}__')


def _is_of_use(process: ProcessNode) -> bool:
    return process.is_finished_ok or not process.is_terminated


def _has_input(process: ProcessNode, label: str, node: Node) -> bool:
    found = process.base.links.get_incoming(link_label_filter=label).first()
    if found is None:
        return False
    if node.is_stored:
        return bool(found.node.pk == node.pk)
    return bool(found.node.base.caching.compute_hash() == node.base.caching.compute_hash())
