"""Codes: the programs of this package on this machine (solver, host Green functions, training), or a JuKKR code."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from aiida_mlkkr import __version__
from aiida_mlkkr.demo.errors import DemoError

if TYPE_CHECKING:
    from aiida.orm import AbstractCode, Computer, InstalledCode

PLUGIN = 'kkr.kkrimp'
SOLVER = 'mlkkr-kkrimp'
HOST_WRITER = 'mlkkr-kkrhost'
HOST_PLUGIN = 'kkr.kkr'
TRAINING = 'aiida-mlkkr-train'
TRAINING_PLUGIN = 'mlkkr.train'
MONTE_CARLO = 'mlkkr-monte-carlo'
MONTE_CARLO_PLUGIN = 'mlkkr.monte_carlo'
SPIRIT_PLUGIN = 'spirit'
COMPUTER_LABEL = 'mlkkr-localhost'


def executable_of(program: str) -> Path:
    """Path of a console script that belongs to this installation.

    :raises DemoError: it is not there.
    """
    folders = [os.path.dirname(sys.executable), sysconfig.get_path('scripts'), os.environ.get('PATH', '')]
    found = shutil.which(program, path=os.pathsep.join(folders))
    if found is None:
        raise DemoError(
            f'the program {program} is not installed beside {sys.executable}; install aiida-mlkkr with pip.'
        )
    return Path(found).absolute()


def local_computer() -> Computer:
    """This machine as an AiiDA computer of the demo's own, with short polling intervals."""
    from aiida import orm
    from aiida.common.exceptions import NotExistent
    from aiida.manage import get_manager
    from aiida.manage.configuration import get_config

    try:
        computer = orm.load_computer(COMPUTER_LABEL)
    except NotExistent:
        profile = get_manager().get_profile()
        assert profile is not None
        computer = orm.Computer(
            label=COMPUTER_LABEL,
            hostname='localhost',
            description='this machine, set up by aiida-mlkkr',
            transport_type='core.local',
            scheduler_type='core.direct',
            workdir=str(Path(get_config().dirpath) / 'scratch' / profile.name),
        ).store()
        computer.set_default_mpiprocs_per_machine(1)
        computer.set_minimum_job_poll_interval(0.5)
    if not computer.is_configured:
        # the start of a login shell takes longer than what it is asked for, twice a second
        computer.configure(safe_interval=0.0, use_login_shell=False)
    return computer


def embedded_solver() -> InstalledCode:
    """The embedded solver as an AiiDA code of this machine.

    :raises DemoError: it is not installed.
    """
    return _code_of(SOLVER, PLUGIN, 'embedded impurity solver')


def host_writer() -> InstalledCode:
    """The program that writes out the Green function of a host as an AiiDA code of this machine.

    :raises DemoError: it is not installed.
    """
    return _code_of(HOST_WRITER, HOST_PLUGIN, 'host Green functions')


def training_code() -> InstalledCode:
    """The program that trains models as an AiiDA code of this machine.

    :raises DemoError: it is not installed.
    """
    return _code_of(TRAINING, TRAINING_PLUGIN, 'training of models')


def monte_carlo_program() -> InstalledCode:
    """The program that simulates spin models as an AiiDA code of this machine.

    :raises DemoError: it is not installed.
    """
    return _code_of(MONTE_CARLO, MONTE_CARLO_PLUGIN, 'Monte Carlo of spin models')


def spirit_program() -> InstalledCode:
    """This very Python as the code of aiida-spirit.

    :raises DemoError: Spirit is not installed.
    """
    if importlib.util.find_spec('spirit') is None or importlib.util.find_spec('aiida_spirit') is None:
        raise DemoError("Spirit is not installed here; python -m pip install 'aiida-mlkkr[spirit]'.")
    return _code_of(os.path.basename(sys.executable), SPIRIT_PLUGIN, 'Spirit')


def _code_of(program: str, plugin: str, description: str) -> InstalledCode:
    """The code of a program; every version and place of installation has one of its own."""
    from aiida import orm

    executable = executable_of(program)
    computer = local_computer()
    label = f'{program}-{__version__}'
    query = orm.QueryBuilder()
    query.append(orm.Computer, filters={'id': computer.pk}, tag='computer')
    query.append(orm.InstalledCode, filters={'label': {'like': f'{label}%'}}, with_computer='computer')
    codes = query.all(flat=True)
    for code in codes:
        if Path(code.filepath_executable) == executable and code.default_calc_job_plugin == plugin:
            return code
    taken = {code.label for code in codes}
    labels = [label, *(f'{label}-{number}' for number in range(2, len(taken) + 3))]
    return orm.InstalledCode(
        label=next(candidate for candidate in labels if candidate not in taken),
        description=f'{description} of aiida-mlkkr {__version__}',
        computer=computer,
        filepath_executable=str(executable),
        default_calc_job_plugin=plugin,
        with_mpi=False,
    ).store()


def jukkr_code(identifier: str) -> AbstractCode:
    """A code of the loaded profile that can stand in for the embedded solver.

    :raises DemoError: there is no such code, it is for another plugin, or it cannot be run from here.
    """
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent, ValidationError

    try:
        code = orm.load_code(identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        raise DemoError(f'--kkrimp {identifier}: {error}') from error
    if code.default_calc_job_plugin != PLUGIN:
        raise DemoError(
            f'--kkrimp {identifier}: this code is for the plugin {code.default_calc_job_plugin!r}; '
            f'a KKRimp code, registered for {PLUGIN!r}, is needed.'
        )
    if not isinstance(code, orm.InstalledCode):
        raise DemoError(f'--kkrimp {identifier}: an installed code is needed, this is a {type(code).__name__}.')
    if not code.computer.is_configured:
        raise DemoError(
            f'--kkrimp {identifier}: the computer {code.computer.label!r} is not configured; '
            f'`verdi computer configure {code.computer.transport_type} {code.computer.label}` does that.'
        )
    try:
        code.validate_filepath_executable()
    except ValidationError as error:
        raise DemoError(f'--kkrimp {identifier}: {error}') from error
    return code
