"""What the commands that launch a workchain have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import AbstractCode, Node, ProcessNode


def host_inputs(host: Node, kkr: AbstractCode | None) -> dict[str, Any]:
    """The host as inputs of a builder: its write-out, or the converged host with the code that writes it out.

    :raises ValueError: it is neither.
    """
    from aiida_mlkkr.workflows.imp_scf.writeout import kkr_calculation, remote_folder

    folder = remote_folder(host)
    written = 'impurity_info' in kkr_calculation(folder).inputs
    return {'host_greenfunction': folder} if written else {'host': folder, 'kkr': kkr}


def run_or_submit(builder: ProcessBuilder, daemon: bool, output: str, show: Callable[[ProcessNode], None]) -> None:
    """Run a workchain and show what it found, or submit it to the daemon.

    :param output: that there has to be for ``show``, also where a later step failed.
    :raises click.ClickException: the workchain did not end well.
    """
    from aiida.engine import run_get_node, submit

    if daemon:
        click.echo(f'submitted: workchain {submit(builder).pk}')
        return
    _, node = run_get_node(builder)
    if output in node.outputs:
        show(node)
    if not node.is_finished_ok:
        raise click.ClickException(f'workchain {node.pk} ended with {node.exit_status}: {node.exit_message}')


def check_finished(workchain: ProcessNode, name: str) -> None:
    """Whether a workchain is what a command shows.

    :param name: its entry point.
    :raises click.ClickException: it is another one, or has no results.
    """
    if workchain.process_type != f'aiida.workflows:{name}' or 'results' not in workchain.outputs:
        raise click.ClickException(f'workchain {workchain.pk} is no finished {name}')


def show_summary(workchain: ProcessNode) -> None:
    """Print what the tools of a workchain say of it."""
    tools: Any = workchain.tools
    click.echo('\n'.join(tools.summary()))
