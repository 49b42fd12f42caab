"""The command `aiida-mlkkr` itself."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from aiida_mlkkr import __version__
from aiida_mlkkr.cli.root import aiida_mlkkr


def test_help_lists_the_commands():
    result = CliRunner().invoke(aiida_mlkkr, ['--help'])
    assert result.exit_code == 0
    assert 'demo' in result.output
    assert __version__ in CliRunner().invoke(aiida_mlkkr, ['--version']).output


def test_a_mistyped_command_is_guessed():
    result = CliRunner().invoke(aiida_mlkkr, ['dmeo'])
    assert result.exit_code != 0
    assert 'demo' in result.output


@pytest.mark.parametrize('command', ['demo', 'predict', 'train'])
def test_help_loads_no_heavy_module(command):
    code = (
        'import sys\n'
        'from aiida_mlkkr.cli import main\n'
        f'sys.argv = ["aiida-mlkkr", "{command}", "--help"]\n'
        'try:\n'
        '    main()\n'
        'finally:\n'
        '    heavy = {"aiida.orm", "aiida_kkr", "numpy", "numba", "matplotlib"}\n'
        '    print(sorted(heavy & set(sys.modules)))\n'
    )
    done = subprocess.run([sys.executable, '-c', code], check=True, capture_output=True, text=True)
    assert done.stdout.rstrip().endswith('[]')
