"""`aiida-mlkkr demo`."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_mlkkr.cli import options


@click.command('demo')
@options.FOLDER(default=Path('aiida-mlkkr-demo'), help='Folder for the report: table, figures, HTML page.')
@click.option(
    '-e',
    '--elements',
    metavar='SYMBOLS',
    help="Impurities to compute, separated by commas; the package's archive holds Na, Mg, Al, P, Sc, Ti, V, Cr, Mn, "
    'Fe, Ni, Cu, Zn, Ge and As.  [default: V,Cr,Mn,Fe,Al,Zn,As]',
)
@click.option(
    '-p',
    '--profile',
    'profile_name',
    metavar='NAME',
    help="An AiiDA profile of yours to work in, instead of the demo's own, which is made where it does not exist.",
)
@click.option(
    '--kkrimp',
    metavar='CODE',
    help='Label or number of a JuKKR code (plugin kkr.kkrimp) of the profile to run instead of the embedded solver.',
)
@click.option(
    '--archive',
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An archive of yours with finished workchains kkr_imp_wc, instead of the package's own.",
)
@click.option(
    '--full',
    is_flag=True,
    help='Go on: the exchange of pairs of Cr, Mn and Fe in the host, dilute magnets of them, and how these order. That '
    'takes some 20 minutes more.',
)
def demo(
    output: Path,
    elements: str | None,
    profile_name: str | None,
    kkrimp: str | None,
    archive: Path | None,
    full: bool,
) -> None:
    """Converge real impurities in copper from predicted potentials, and see what that saves.

    Needs no service, no other code and no settings: makes an AiiDA profile of its own (your default profile stays as
    it is), registers the embedded solver and imports the packaged archive of JuKKR's impurities. For each element it
    trains an emulator on all others, and runs the self-consistency from the predicted and from the standard start
    potential, each with two mixing schedules, with every step in the provenance. A second run reuses what is there; an
    interrupted one goes on.
    """
    from rich.console import Console

    from aiida_mlkkr.demo.errors import DemoError, DemoInterrupted
    from aiida_mlkkr.demo.main import DEFAULT_ELEMENTS, run_demo

    symbols: tuple[str, ...] = DEFAULT_ELEMENTS
    if elements is not None:
        symbols = tuple(symbol.strip().capitalize() for symbol in elements.split(',') if symbol.strip())
        if not symbols:
            raise click.BadParameter('no element named', param_hint='--elements')
    try:
        complete = run_demo(Console(), output, symbols, profile_name, kkrimp, archive, full)
    except DemoInterrupted as error:
        click.echo(f'\n{error}', err=True)
        raise SystemExit(130) from error
    except DemoError as error:
        raise click.ClickException(str(error)) from error
    if not complete:
        raise SystemExit(1)
