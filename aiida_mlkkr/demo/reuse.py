"""Processes that an earlier demo has run or begun, found by their inputs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aiida_mlkkr import __version__

if TYPE_CHECKING:
    from aiida.orm import Node, ProcessNode

Inputs = dict[str, 'Node']
"""Nodes by the labels of their links."""


def find_process(label: str, inputs: Mapping[str, Any]) -> ProcessNode | None:
    """A process of this version of the package with these inputs that is finished or under way, finished ones first.

    :param label: name of the process.
    :param inputs: nodes, also in nested namespaces; one of them at least has to be stored. Those that are not stored
        are compared by their attributes. What is not given may have any value.
    """
    wanted = dict(flat_inputs(inputs))
    candidates = [
        process
        for process, found in _candidates(label, wanted)
        if (process.is_finished_ok or not process.is_terminated)
        and all(name in found and _same(found[name], node) for name, node in wanted.items())
    ]
    return min(candidates, key=lambda process: not process.is_finished_ok, default=None)


def flat_inputs(inputs: Mapping[str, Any], prefix: str = '') -> Iterator[tuple[str, Node]]:
    """The nodes among nested inputs, with the labels of their links."""
    from aiida.orm import Node

    for name, value in inputs.items():
        if isinstance(value, Node):
            yield prefix + name, value
        elif isinstance(value, Mapping):
            yield from flat_inputs(value, f'{prefix}{name}__')


def _candidates(label: str, wanted: Inputs) -> Iterator[tuple[ProcessNode, Inputs]]:
    """The processes that have one of the inputs, the newest, and all their inputs."""
    from aiida import orm

    newest = max(node.pk for node in wanted.values() if node.pk is not None)
    query = orm.QueryBuilder()
    query.append(orm.Node, filters={'id': newest}, tag='newest')
    query.append(
        orm.ProcessNode,
        with_incoming='newest',
        filters={'attributes.process_label': label, 'attributes.version.plugin': __version__},
        project='*',
        tag='process',
    )
    query.append(orm.Data, with_outgoing='process', project='*', edge_project='label')
    query.order_by({'process': {'id': 'desc'}})
    processes: dict[int, ProcessNode] = {}
    inputs: dict[int, Inputs] = defaultdict(dict)
    for process, node, name in query.all():
        processes[process.pk] = process
        inputs[process.pk][name] = node
    return ((process, inputs[pk]) for pk, process in processes.items())


def _same(found: Node, wanted: Node) -> bool:
    if wanted.is_stored:
        return found.pk == wanted.pk
    return type(found) is type(wanted) and bool(found.base.attributes.all == wanted.base.attributes.all)
