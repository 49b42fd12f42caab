"""The versions that a trained model depends on, for its report."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from aiida_mlkkr import __version__

_PACKAGES: Final = ('numpy', 'scipy', 'safetensors', 'scikit-learn', 'torch', 'e3nn', 'dscribe')


def versions() -> dict[str, str]:
    """Python, this package, the machine, and what is installed of the packages that models use."""
    found = {'python': platform.python_version(), 'aiida_mlkkr': __version__, 'machine': platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
