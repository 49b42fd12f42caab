"""Retrieved folders unwrapped: what the write-out of a host's Green function and a finished run hold."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from aiida import orm

from aiida_mlkkr.calculations.records import (
    NEEDED,
    SHAPES,
    USEFUL,
    Writeout,
    read_writeout,
)
from aiida_mlkkr.kkr.cluster import HostLattice
from aiida_mlkkr.kkr.constants import BOHR_ANGSTROM
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.inputcard import InputCard
from aiida_mlkkr.kkr.potential import read_potential
from aiida_mlkkr.kkr.run import POTENTIAL, KkrimpRun, read_run
from aiida_mlkkr.parsers.retrieved import host_reference, retrieved_texts


def writeout_of(folder: orm.FolderData) -> Writeout:
    """The host and the sites of a write-out, whether or not its Green function was retrieved.

    The shape functions of a host in full potential are those of the voronoi calculation that it began with.

    :raises KkrFileError: if a file is missing, damaged or does not belong to the others.
    """
    with TemporaryDirectory() as directory:
        for name in {*NEEDED, *USEFUL}.intersection(folder.base.repository.list_object_names()):
            Path(directory, name).write_bytes(folder.base.repository.get_object_content(name, mode='rb'))
        if (shapes := _shapes_of(folder)) is not None:
            Path(directory, SHAPES).write_bytes(shapes)
        try:
            return read_writeout(Path(directory))
        except KkrFileError as error:
            raise KkrFileError(str(error).replace(f'{directory}/', '')) from error


def lattice_of(folder: orm.FolderData) -> HostLattice:
    """The crystal of a host, lengths in Å, from the retrieved files of any calculation of KKRhost.

    Its lattice constant is the one that its files count lengths in.

    :raises KkrFileError: if a file is missing or damaged.
    """
    files = folder.base.repository
    missing = [name for name in ('inputcard', 'out_potential') if name not in files.list_object_names()]
    if missing:
        raise KkrFileError(f'the retrieved folder of the host lacks {", ".join(missing)}')
    atoms = [site[0] for site in read_potential(StringIO(files.get_object_content('out_potential', 'r'))).sites]
    crystal = InputCard.of_text(files.get_object_content('inputcard', 'r')).lattice(
        np.array([atom.z for atom in atoms])
    )
    unit = atoms[0].alat * BOHR_ANGSTROM
    return replace(crystal, cell=unit * crystal.cell, positions=unit * crystal.positions, alat=unit)


def _shapes_of(folder: orm.FolderData) -> bytes | None:
    """The file of shape functions of a write-out's host; None if it is not in the database."""
    files = folder.base.repository
    calculation = folder.creator
    while calculation is not None and SHAPES not in files.list_object_names():
        parent = calculation.base.links.get_incoming(orm.RemoteData, link_label_filter='parent_folder').first()
        calculation = None if parent is None else parent.node.creator
        if calculation is not None and 'retrieved' in calculation.outputs:
            files = calculation.outputs.retrieved.base.repository
    return files.get_object_content(SHAPES, mode='rb') if SHAPES in files.list_object_names() else None


def run_of(
    retrieved: orm.FolderData, host_writeout: orm.FolderData, potential: orm.SinglefileData | None = None
) -> KkrimpRun:
    """A finished run, with its result checked against the host's charges where these were retrieved.

    :param potential: its potential, where a workchain made a file of it; aiida-kkr 1.x then took it out of the folder.
    """
    texts = retrieved_texts(retrieved)
    if potential is not None:
        texts[POTENTIAL] = potential.get_content(mode='r')
    name = 'kkrflex_intercell_cmoms'
    host = None
    if name in host_writeout.base.repository.list_object_names():
        host = host_reference(
            texts.get('kkrflex_atominfo', ''), host_writeout.base.repository.get_object_content(name, mode='r')
        )
    return read_run(texts, host)
