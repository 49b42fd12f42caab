"""Check what a wheel of aiida-mlkkr holds: ``python check_wheel.py WHEEL``."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

MAX_SIZE = 10_000_000
NEEDED = (
    'py.typed',
    'benchmark/',
    'calculations/',
    'campaign/',
    'cli/',
    'data/',
    'demo/',
    'exchange/mappings/bi2te3_dimers.yaml',
    'kkr/',
    'ml/models/network/',
    'parsers/',
    'plot/',
    'query/',
    'solver/',
    'spins/',
    'workflows/protocols/train.yaml',
    'workflows/train/',
)


def problems(wheel: Path) -> list[str]:
    """Return what is wrong with a wheel, in words."""
    found = []
    if wheel.stat().st_size > MAX_SIZE:
        found.append(f'{wheel.stat().st_size} bytes are more than {MAX_SIZE}')
    names = zipfile.ZipFile(wheel).namelist()
    for needed in NEEDED:
        if not any(name.startswith(f'aiida_mlkkr/{needed}') for name in names):
            found.append(f'aiida_mlkkr/{needed} is missing')
    if not any(name.startswith('aiida_mlkkr/') and name.endswith('.aiida') for name in names):
        found.append('the archive of the demo is missing')
    found += [
        f'{name} does not belong in it'
        for name in names
        if not name.startswith(('aiida_mlkkr/', 'aiida_mlkkr-')) or name.endswith(('.pyc', '.nbc', '.nbi'))
    ]
    return found


def main() -> None:
    """Print the wheel's problems and fail if it has any."""
    (wheel,) = map(Path, sys.argv[1:])
    found = problems(wheel)
    print(f'{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB', *found, sep='\n  ')
    sys.exit(bool(found))


if __name__ == '__main__':
    main()
