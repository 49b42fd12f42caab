"""The retrieved files of a KKRimp calculation as texts, and the host's charges for its sanity check."""

from __future__ import annotations

import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import Final

import numpy as np
from aiida.orm import FolderData

from aiida_mlkkr.kkr.jij_matrix import FILE_NAME as JIJ_MATRIX
from aiida_mlkkr.kkr.kkrflex import read_atominfo, read_intercell_cmoms
from aiida_mlkkr.kkr.run import (
    BAND_ENERGIES,
    CONFIG,
    LOG,
    ORBITAL_MOMENTS,
    POTENTIAL,
    SINGLE_PARTICLE_ENERGIES,
    SPIN_MOMENTS,
    STDERR,
    STDOUT,
    TIMING,
)
from aiida_mlkkr.kkr.sanity import HostReference

PACKED: Final = 'output_all.tar.gz'
"""aiida-kkr 1.x packs the files that it has parsed into this archive, inside of the retrieved folder."""

_FILES_READ = frozenset(
    {STDOUT, LOG, POTENTIAL, TIMING, BAND_ENERGIES, SINGLE_PARTICLE_ENERGIES, SPIN_MOMENTS, ORBITAL_MOMENTS, CONFIG}
    | {'kkrflex_atominfo', 'kkrflex_llyfac', 'kkrflex_angle', JIJ_MATRIX}
)
_MAX_BYTES = 200_000_000


def retrieved_texts(folder: FolderData, stderr: str = STDERR) -> dict[str, str]:
    """Texts of the files that tell of a run; a byte that is not ASCII becomes a replacement character.

    :param stderr: name of the scheduler's file of error messages.
    :return: the texts by name, without the files that are absent or cannot be read.
    """
    repository = folder.base.repository
    names = repository.list_object_names()
    files = _packed_texts(folder) if PACKED in names else {}
    for name in names:
        if name not in _FILES_READ and name != stderr:
            continue
        try:
            with repository.open(name, 'rb') as stream:
                content = stream.read(_MAX_BYTES)
        except (OSError, TypeError):
            continue
        files[STDERR if name == stderr else name] = content.decode('ascii', errors='replace')
    return files


def _packed_texts(folder: FolderData) -> dict[str, str]:
    files = {}
    try:
        with folder.base.repository.open(PACKED, 'rb') as stream, tarfile.open(fileobj=stream, mode='r:gz') as tar:
            for member in tar:
                content = tar.extractfile(member) if member.name in _FILES_READ else None
                if content is not None:
                    files[member.name] = content.read(_MAX_BYTES).decode('ascii', errors='replace')
    except (OSError, EOFError, tarfile.TarError, zlib.error):
        pass  # what was read before the damage is kept
    return files


def host_reference(atominfo: str, cmoms: str) -> HostReference | None:
    """Charges of the host on the sites of the cluster; None where the two files cannot be read or do not fit.

    :param atominfo: text of ``kkrflex_atominfo``.
    :param cmoms: text of ``kkrflex_intercell_cmoms``.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, 'kkrflex_intercell_cmoms')
            path.write_text(cmoms, encoding='utf-8')
            moments = read_intercell_cmoms(path)
            path = Path(folder, 'kkrflex_atominfo')
            path.write_text(atominfo, encoding='utf-8')
            removed = read_atominfo(path).removed
    except (OSError, ValueError):
        return None
    if len(removed) != len(moments.z_host):
        return None
    return HostReference(moments.z_host, moments.moments[:, 0] * np.sqrt(4.0 * np.pi), ~removed)
