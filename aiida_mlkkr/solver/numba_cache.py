"""Where Numba keeps compiled code, also when the package lies in a folder that nobody may write to."""

import os
import stat
import tempfile
from pathlib import Path


def choose_cache() -> None:
    """Give Numba a folder of its own if neither the package's folder nor the user's cache can be written to.

    Numba finds the two by itself, and refuses to compile where there is none. The folder is private to the user, since
    what Numba caches is code.
    """
    if 'NUMBA_CACHE_DIR' in os.environ:
        return
    user_cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    if _is_writable(Path(__file__).parent / '__pycache__') or _is_writable(user_cache):
        return
    shared = Path(tempfile.gettempdir()) / f'aiida-mlkkr-numba-{os.getuid()}'
    directory = shared if _is_private(shared) else Path(tempfile.mkdtemp(prefix='aiida-mlkkr-numba-'))
    os.environ['NUMBA_CACHE_DIR'] = str(directory)


def _is_writable(directory: Path) -> bool:
    """Try it: permissions say nothing about a read-only file system."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return True
    except OSError:
        return False


def _is_private(directory: Path) -> bool:
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        status = directory.stat(follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
