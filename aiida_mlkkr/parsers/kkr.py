"""The parser of write-outs of a host's Green function, by JuKKR's KKRhost or by ``mlkkr-kkrhost``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import numpy as np
from aiida.orm import Dict, FolderData
from aiida_kkr.calculations import KkrCalculation

from aiida_mlkkr import __version__
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.outcome import Outcome, Verdict
from aiida_mlkkr.kkr.run import STDERR
from aiida_mlkkr.kkr.writeout import WriteoutSummary, read_summary
from aiida_mlkkr.parsers.files import text_of
from aiida_mlkkr.parsers.results import printable
from aiida_mlkkr.parsers.tolerant import TolerantParser

_REFUSED: Final = re.compile(r'mlkkr-kkrhost: error: *(.*)')


class HostWriteoutParser(TolerantParser):
    """Parse a ``KkrCalculation`` that writes out the Green function of a host.

    Chosen by ``metadata.options.parser_name = 'mlkkr.kkr'``. It reads the files that the impurity step needs, and not
    the log, attaches ``output_parameters`` with what is read of them there, under the names of aiida-kkr, and returns
    an exit code of :class:`aiida_mlkkr.kkr.outcome.Outcome`.
    """

    entry_point = 'mlkkr.kkr'

    def judge(self, retrieved: FolderData) -> Verdict:
        """Attach what was read, and say how the run ended."""
        words = text_of(retrieved, self.node.get_option('scheduler_stderr') or STDERR)
        if refused := _REFUSED.findall(words):
            return Verdict(Outcome.INPUT_REFUSED, refused[-1])
        with_green = 'retrieve_kkrflex' not in self.node.inputs or self.node.inputs.retrieve_kkrflex.value
        with retrieved.base.repository.as_path() as folder:
            try:
                summary = read_summary(Path(folder), with_green)
            except KkrFileError as error:
                said = ' '.join(words.split())[-300:]
                reason = str(error).replace(f'{folder}/', '') + (f'; the error output says: {said}' if said else '')
                missing = 'kkrflex_atominfo' not in retrieved.base.repository.list_object_names()
                return Verdict(Outcome.OUTPUT_MISSING if missing else Outcome.OUTPUT_INCOMPLETE, reason)
        self.out('output_parameters', Dict(output_parameters(summary)))
        return Verdict(Outcome.DONE)


def output_parameters(summary: WriteoutSummary) -> dict[str, Any]:
    """What aiida-kkr's chains and ours read of a write-out, under aiida-kkr's names."""
    return {
        'parser_version': __version__,
        'calculation_plugin_version': KkrCalculation._CALCULATION_PLUGIN_VERSION,
        'code_info_group': {'calculation_serial_number': summary.serial},
        'nspin': summary.nspin,
        'number_of_atoms_in_unit_cell': summary.natom_cell,
        'use_newsosol': summary.spin_orbit,
        'alat_internal': summary.alat,
        'alat_internal_unit': 'a_Bohr',
        'fermi_energy': summary.fermi_energy,
        'fermi_energy_units': 'Ry',
        'energy_contour_group': {
            'emin': summary.contour_bottom,
            'emin_unit': 'Rydberg',
            'number_of_energy_points': summary.energies,
        },
        'core_states_group': {
            'number_of_core_states_per_atom': list(summary.core_counts),
            'energy_highest_lying_core_state_per_atom': [
                float(energy) if np.isfinite(energy) else None for energy in summary.core_energies
            ],
            'energy_highest_lying_core_state_per_atom_unit': 'Rydberg',
        },
        'convergence_group': {'charge_neutrality': summary.neutrality, 'charge_neutrality_unit': 'electrons'},
        'warnings_group': {
            'number_of_warnings': len(summary.warnings),
            'warnings_list': [printable(warning) for warning in summary.warnings],
        },
        'mlkkr_group': {'number_of_sites_in_cluster': summary.natom_cluster},
    }
