"""What messages say of processes."""

from __future__ import annotations

from aiida import orm


def name_of(node: orm.Node) -> str:
    """How messages call a process."""
    return f'{node.process_label}<{node.pk}>'


def reason_of(node: orm.ProcessNode) -> str:
    """Why a process did not finish well."""
    if node.is_killed:
        return 'it was killed'
    return node.exit_message or (node.exception or 'no reason given').strip().splitlines()[-1]
