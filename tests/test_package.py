"""The package as installed: version, entry points, console scripts, and rooms that do without AiiDA."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

import aiida_mlkkr

OURS = [
    entry_point
    for entry_point in importlib.metadata.distribution('aiida-mlkkr').entry_points
    if entry_point.group.startswith('aiida.') or entry_point.group == 'console_scripts'
]


def test_version_agrees():
    assert importlib.metadata.version('aiida-mlkkr') == aiida_mlkkr.__version__


@pytest.mark.parametrize('entry_point', OURS, ids=lambda entry_point: entry_point.name)
def test_entry_point_resolves(entry_point):
    assert callable(entry_point.load())


@pytest.mark.parametrize(
    'entry_point', [one for one in OURS if one.group == 'aiida.workflows'], ids=lambda entry_point: entry_point.name
)
def test_workchains_are_known_by_their_entry_points(entry_point):
    """AiiDA stores the name of the entry point, by which it finds tools and caches, for the class's own module only."""
    assert entry_point.load().build_process_type() == f'aiida.workflows:{entry_point.name}'


def test_aiida_entry_points_begin_with_the_registered_prefix():
    aiida_names = [entry_point.name for entry_point in OURS if entry_point.group.startswith('aiida.')]
    assert aiida_names
    assert all(name.startswith('mlkkr.') for name in aiida_names)


def test_classifiers_follow_the_aiida_registry():
    classifiers = importlib.metadata.metadata('aiida-mlkkr').get_all('Classifier')
    assert 'Framework :: AiiDA' in classifiers
    assert sum(classifier.startswith('Development Status ::') for classifier in classifiers) == 1


@pytest.mark.parametrize(
    'room', ['common', 'kkr', 'solver', 'exchange', 'spins', 'ml', 'plot', 'benchmark', 'calculations.records']
)
def test_pure_rooms_import_no_aiida(room):
    code = f"""
import importlib, pkgutil, sys
package = importlib.import_module('aiida_mlkkr.{room}')
for module in pkgutil.walk_packages(getattr(package, '__path__', []), package.__name__ + '.'):
    importlib.import_module(module.name)
print(*sorted(name for name in sys.modules if name.split('.')[0] in ('aiida', 'aiida_kkr', 'masci_tools')))
"""
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []


def test_imports_go_downwards():
    """In the table of the documentation."""
    table = Path(__file__).parent.parent / 'docs/source/topics/architecture.md'
    rooms = re.findall(r'^\| `aiida_mlkkr\.(\w+)` \|', table.read_text(encoding='utf-8'), re.MULTILINE)
    package = Path(aiida_mlkkr.__file__).parent
    assert set(rooms) == {path.parent.name for path in package.glob('*/__init__.py')}
    upwards = [
        f'{path.relative_to(package)} imports {node.module}'
        for room, path in ((room, path) for room in rooms for path in (package / room).rglob('*.py'))
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
        if isinstance(node, ast.ImportFrom) and (node.module or '').startswith('aiida_mlkkr.')
        if rooms.index((node.module or '').split('.')[1]) < rooms.index(room)
    ]
    assert not upwards
