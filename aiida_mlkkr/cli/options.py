"""Options that several commands take; called with arguments they are changed for one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from aiida.cmdline.params import options, types
from aiida.cmdline.params.options import OverridableOption

from aiida_mlkkr.workflows.protocols import read_protocols

T = TypeVar('T', bound=str)


def in_a_folder(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    """Callback: a file that can be written at the end; :raises click.BadParameter: there is no folder for it."""
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f'there is no folder {path.parent}')
    return path


PROFILE = options.PROFILE.clone(type=types.ProfileParamType(load_profile=True), expose_value=False)
HOST = OverridableOption(
    '-H',
    '--host',
    type=types.NodeParamType(),
    required=True,
    help='The host: a finished calculation of KKRhost (or its remote folder), a write-out of its Green function or the '
    'converged host itself, whose Green function is then found in the database or written out with --kkr.',
)
KKR = OverridableOption(
    '-k', '--kkr', type=types.CodeParamType(entry_point='kkr.kkr'), help='KKRhost, which writes out the host.'
)
KKRIMP = OverridableOption(
    '--kkrimp',
    'code',
    type=types.CodeParamType(entry_point='kkr.kkrimp'),
    help='A KKRimp code to run instead of the embedded solver.',
)
EMULATOR = OverridableOption(
    '--emulator',
    type=types.DataParamType(sub_classes=('aiida.data:mlkkr.surrogate',)),
    help='A trained model that predicts the start potentials.',
)
SPHERES = OverridableOption(
    '--spheres',
    type=types.DataParamType(sub_classes=('aiida.data:mlkkr.surrogate',)),
    help='For full potentials: a model of atomic spheres in the same crystal. The new one learns the difference to it.',
)
STRUCTURE = OverridableOption(
    '-s', '--structure', type=types.DataParamType(sub_classes=('aiida.data:core.structure',)), help='The host crystal.'
)
EXCHANGE = OverridableOption(
    '-x',
    '--exchange',
    multiple=True,
    type=types.DataParamType(sub_classes=('aiida.data:mlkkr.exchange',)),
    help='Exchange data; can be given several times.',
)
MODELS = OverridableOption('-m', '--models', metavar='NAMES', help='Models, separated by commas.  [default: all]')
SPLITS = OverridableOption(
    '-s', '--splits', metavar='NAMES', help='What is left out, separated by commas.  [default: all]'
)
MISSING_IS_ZERO = OverridableOption(
    '--missing-is-zero', is_flag=True, help='Pairs without exchange where others have one are not coupled.'
)
SEED = OverridableOption('--seed', type=click.IntRange(0), default=0, show_default=True, help='Of all random numbers.')
ELEMENTS = OverridableOption('-e', '--elements', metavar='LIST')
METHOD = OverridableOption('-m', '--model', 'method', metavar='NAME')
TRAINING_SETTINGS = OverridableOption(
    '--settings',
    'settings_file',
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML file with settings of the training: model, seed, and the model's own options.",
)
MODEL_LABEL = OverridableOption('-l', '--label', default='', help='Label of the model node.')
PATTERN = OverridableOption(
    '--pattern',
    type=click.Choice(('dimer', 'trimer', 'chain', 'ring', 'random')),
    default='dimer',
    show_default=True,
    help='Where several impurities are.',
)
SHELL = OverridableOption('--shell', type=click.IntRange(1), help='Shell that neighbours are on, from 1.  [default: 1]')
SCREENING = OverridableOption(
    '--screening',
    type=click.IntRange(0),
    help="Shells of host atoms around each impurity; 0 for none.  [default: the protocol's]",
)
DAEMON = OverridableOption('-d', '--daemon', is_flag=True, help='Submit to the daemon instead of running it here.')
GROUPS = OverridableOption(
    '-G',
    '--group',
    'groups',
    type=types.GroupParamType(),
    multiple=True,
    help='Group with finished impurity calculations: label, pk or UUID; can be given several times.',
)
FILLED_GROUP = OverridableOption(
    '-G', '--group', 'label', show_default=True, help='Group that the workchains are put into.'
)
CALCULATION_OPTIONS = OverridableOption(
    '--options',
    'options_file',
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='YAML file with options of the calculations: resources, queue_name, account, max_wallclock_seconds, '
    'environment_variables …  [default: an hour, one thread]',
)
JOBS = OverridableOption(
    '-j',
    '--jobs',
    type=click.IntRange(1),
    help='Runs at a time; 1 runs without a daemon.  [default: the number of cores]',
)
OUTPUT = OverridableOption('-o', '--output', type=click.Path(dir_okay=False, path_type=Path), callback=in_a_folder)
FIGURE = OverridableOption(
    '-o',
    '--output',
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_a_folder,
    show_default=True,
    help='The figure; the suffix says in which format.',
)
FOLDER = OverridableOption('-o', '--output', type=click.Path(file_okay=False, path_type=Path), show_default=True)
DRY_RUN = OverridableOption(
    '-n', '--dry-run', is_flag=True, help='Only show what would be run, and what is there already.'
)


def protocol(workchain: str) -> Callable[[Any], Any]:
    """The option ``--protocol``: one of those in the file of a workchain."""
    content = read_protocols(workchain)
    return click.option(
        '--protocol',
        type=click.Choice(list(content['protocols'])),
        default=content['default_protocol'],
        show_default=True,
        help='Default inputs of the workchain.',
    )


def chosen(text: str | None, known: Sequence[T], option: str) -> tuple[T, ...]:
    """The known names that a list holds; all of them if there is no list."""
    if text is None:
        return tuple(known)
    names = [name.strip() for name in text.split(',') if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        what = f'there is no {", ".join(unknown)}' if unknown else 'nothing is named'
        raise click.BadParameter(f'{what}; there are {", ".join(known)}', param_hint=option)
    return tuple(name for name in known if name in names)


def shares(text: str, option: str) -> dict[str, float]:
    """Shares of the sites by element, from a list such as ``Mn=0.05,Cr=0.02``."""
    try:
        return {name.strip(): float(share) for name, share in (part.split('=') for part in text.split(',') if part)}
    except ValueError as error:
        raise click.BadParameter(f'{text} is not like Mn=0.05,Cr=0.02', param_hint=option) from error
