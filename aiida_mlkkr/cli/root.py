"""The group that all commands hang in."""

from __future__ import annotations

import click
from aiida.cmdline.groups import VerdiCommandGroup

from aiida_mlkkr import __version__
from aiida_mlkkr.cli.benchmark import benchmark
from aiida_mlkkr.cli.demo import demo
from aiida_mlkkr.cli.exchange_models import predict_exchange, train_exchange
from aiida_mlkkr.cli.fill import fill
from aiida_mlkkr.cli.fill_exchange import fill_exchange
from aiida_mlkkr.cli.launch import launch
from aiida_mlkkr.cli.ldos import launch_ldos, plot_ldos
from aiida_mlkkr.cli.magnetic_scan import magnetic_scan
from aiida_mlkkr.cli.model import model
from aiida_mlkkr.cli.multiscale import launch_multiscale, show_multiscale
from aiida_mlkkr.cli.plot import plot
from aiida_mlkkr.cli.predict import predict
from aiida_mlkkr.cli.show import show
from aiida_mlkkr.cli.spins import launch_spins, plot_spins, show_spins
from aiida_mlkkr.cli.temperatures import plot_temperatures
from aiida_mlkkr.cli.train import train

# AiiDA reports every step of an import and of a profile's set-up; our commands say what they do in their own words
_QUIET = {'verbosity': 'warning'}
_SETTINGS = {
    'help_option_names': ['-h', '--help'],
    'default_map': {
        **dict.fromkeys(
            ('demo', 'fill', 'fill-exchange', 'predict', 'predict-exchange', 'train', 'train-exchange'), _QUIET
        ),
        'benchmark': {'emulator': _QUIET},
        'launch': {'cluster': _QUIET, 'ldos': _QUIET, 'magnetic-scan': _QUIET, 'multiscale': _QUIET, 'spins': _QUIET},
        'model': {'export': _QUIET, 'import': _QUIET},
        'plot': {'exchange': _QUIET, 'temperatures': _QUIET, 'ldos': _QUIET, 'spins': _QUIET},
        'show': {'exchange': _QUIET, 'model': _QUIET, 'multiscale': _QUIET, 'spins': _QUIET},
    },
}


@click.group('aiida-mlkkr', cls=VerdiCommandGroup, context_settings=_SETTINGS)
@click.version_option(__version__, '-V', '--version', message='aiida-mlkkr %(version)s')
def aiida_mlkkr() -> None:
    """Magnetic impurities with KKR, AiiDA and machine learning."""


aiida_mlkkr.add_command(benchmark)
aiida_mlkkr.add_command(demo)
aiida_mlkkr.add_command(fill)
aiida_mlkkr.add_command(fill_exchange)
aiida_mlkkr.add_command(launch)
aiida_mlkkr.add_command(model)
aiida_mlkkr.add_command(plot)
aiida_mlkkr.add_command(predict)
aiida_mlkkr.add_command(predict_exchange)
aiida_mlkkr.add_command(show)
aiida_mlkkr.add_command(train)
aiida_mlkkr.add_command(train_exchange)
launch.add_command(launch_ldos)
launch.add_command(magnetic_scan)
launch.add_command(launch_multiscale)
launch.add_command(launch_spins)
plot.add_command(plot_ldos)
plot.add_command(plot_spins)
plot.add_command(plot_temperatures)
show.add_command(show_multiscale)
show.add_command(show_spins)
