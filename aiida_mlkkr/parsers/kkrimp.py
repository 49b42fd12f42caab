"""The tolerant parser of KKRimp calculations, by JuKKR or by the embedded solver."""

from __future__ import annotations

from aiida.common.exceptions import NotExistent
from aiida.orm import CalcJobNode, Dict, FolderData

from aiida_mlkkr.kkr.outcome import Verdict, judge
from aiida_mlkkr.kkr.run import STDERR, read_run
from aiida_mlkkr.kkr.sanity import HostReference
from aiida_mlkkr.parsers.results import output_parameters
from aiida_mlkkr.parsers.retrieved import host_reference, retrieved_texts
from aiida_mlkkr.parsers.tolerant import TolerantParser


class TolerantKkrimpParser(TolerantParser):
    """Parse a ``KkrimpCalculation`` whatever has become of it.

    Chosen by ``metadata.options.parser_name = 'mlkkr.kkrimp'``. It never excepts, attaches ``output_parameters`` with
    all that could be read, in the layout of aiida-kkr, and returns an exit code that names how the run ended, see
    :class:`aiida_mlkkr.kkr.outcome.Outcome`. An exit code of the scheduler is kept.
    """

    entry_point = 'mlkkr.kkrimp'

    def judge(self, retrieved: FolderData) -> Verdict:
        """Attach all that could be read, and say how the run ended."""
        files = retrieved_texts(retrieved, self.node.get_option('scheduler_stderr') or STDERR)
        host_calculation = _host_calculation(self.node)
        density_of_states = _is_density_of_states(host_calculation)
        run = read_run(files, _host_reference(files, host_calculation))
        verdict = judge(run, density_of_states)
        self.out('output_parameters', Dict(output_parameters(run, verdict, density_of_states)))
        return verdict


def _host_calculation(node: CalcJobNode) -> CalcJobNode | None:
    """The calculation that wrote the host's Green function."""
    try:
        creator = node.inputs.host_Greenfunction_folder.creator
    except (NotExistent, AttributeError):
        return None
    return creator if isinstance(creator, CalcJobNode) else None


def _is_density_of_states(host: CalcJobNode | None) -> bool:
    """Whether the host's contour is one for densities of states: NPOL=0, as aiida-kkr asks."""
    try:
        return host is not None and host.inputs.parameters.get_dict().get('NPOL', 1) == 0
    except (NotExistent, AttributeError):
        return False


def _host_reference(files: dict[str, str], host: CalcJobNode | None) -> HostReference | None:
    """Charges of the host on the sites of the cluster; None where the write-out was not retrieved or does not fit."""
    try:
        if host is None:
            return None
        moments = host.outputs.retrieved.base.repository.get_object_content('kkrflex_intercell_cmoms', 'r')
    except (NotExistent, AttributeError, OSError):
        return None
    return host_reference(files.get('kkrflex_atominfo', ''), moments)
