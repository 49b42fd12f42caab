"""Check that a wheel of aiida-mlkkr holds every file of the package, nothing else: ``python check_wheel.py WHEEL``."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / 'aiida_mlkkr'
MAX_SIZE = 10_000_000
COMPILED = ('.pyc', '.nbc', '.nbi')
"""Made by Python and numba beside the sources."""


def problems(wheel: Path) -> list[str]:
    """Return what is wrong with a wheel, in words."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if not name.startswith('aiida_mlkkr-')}
    wanted = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob('*')
        if path.is_file() and path.suffix not in COMPILED
    }
    found = [f'{name} is missing' for name in sorted(wanted - names)]
    found += [f'{name} does not belong in it' for name in sorted(names - wanted)]
    if wheel.stat().st_size > MAX_SIZE:
        found.append(f'{wheel.stat().st_size} bytes are more than {MAX_SIZE}')
    return found


def main() -> None:
    """Print the wheel's problems and fail if it has any."""
    (wheel,) = map(Path, sys.argv[1:])
    found = problems(wheel)
    print(f'{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB', *found, sep='\n  ')
    sys.exit(bool(found))


if __name__ == '__main__':
    main()
