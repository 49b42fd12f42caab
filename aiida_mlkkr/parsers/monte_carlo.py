"""The parser of simulations."""

from __future__ import annotations

from pathlib import Path

from aiida import orm
from aiida.engine import ExitCode
from aiida.parsers import Parser

from aiida_mlkkr.parsers.files import records_of, text_of
from aiida_mlkkr.parsers.train import OUT_OF_MEMORY
from aiida_mlkkr.spins.errors import SpinModelError
from aiida_mlkkr.spins.files import read_arrays
from aiida_mlkkr.spins.main import GROUND_STATE, OUT_OF_TIME, PROGRAM, PROGRESS, RESULTS


class MonteCarloParser(Parser):
    """Parse a ``MonteCarloCalculation``: its observables, or why there are none."""

    def parse(self, retrieved_temporary_folder: str | None = None, **kwargs: object) -> ExitCode | None:
        """Parse the retrieved files."""
        results = Path(retrieved_temporary_folder or '', RESULTS)
        if retrieved_temporary_folder is None or not results.is_file():
            return self._unfinished()
        try:
            arrays, report = read_arrays(results)
            thermalised = arrays['thermalised'].astype(bool)
            temperatures = arrays['temperatures']
        except (SpinModelError, KeyError) as error:
            return self.exit_codes.ERROR_OUTPUT_INVALID.format(reason=str(error))
        # an error of one configuration is none: not finite, which arrays can hold
        ground_states = {name: arrays.pop(f'{GROUND_STATE}{name}', None) for name in ('directions', 'energies')}
        observables = orm.ArrayData(arrays)
        observables.base.attributes.set_many({name: report[name] for name in ('groups', 'number')})
        self.out('observables', observables)
        if ground_states['directions'] is not None:
            node = orm.ArrayData(ground_states)
            node.base.attributes.set('models', sorted(self.node.inputs.models))
            self.out('ground_states', node)
        self.out('report', orm.Dict({**report, 'thermalised': bool(thermalised.all())}))
        if not thermalised.all():
            wrong = ', '.join(f'{temperature:g}' for temperature in temperatures[~thermalised])
            return self.exit_codes.ERROR_NOT_THERMALISED.format(temperatures=f'{wrong} K')
        return None

    def _unfinished(self) -> ExitCode | None:
        """Why there are no results; None keeps what the scheduler says."""
        lines = text_of(self.retrieved, self.node.get_option('scheduler_stderr')).splitlines()
        for word, label in (('error', 'ERROR_INPUT_REFUSED'), ('aborted', 'ERROR_ABORTED')):
            prefix = f'{PROGRAM}: {word}: '
            if found := [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]:
                return self.exit_codes[label].format(reason=found[-1])
        if self.node.exit_status == OUT_OF_MEMORY:
            return None
        # the record of a simulation that goes on begins with that of the one before
        started = bool(text_of(self.retrieved, self.node.get_option('output_filename')))
        progress = records_of(self.retrieved, PROGRESS) if started else []
        last = progress[-1] if progress else {}
        if last.get('stopped') == OUT_OF_TIME:
            return self.exit_codes.ERROR_OUT_OF_WALLTIME
        if any('checkpoint' in entry for entry in progress):
            return self.exit_codes.ERROR_INTERRUPTED.format(reason=last.get('stopped', 'without a word'))
        if self.node.exit_status is not None:
            return None
        return self.exit_codes.ERROR_OUTPUT_MISSING.format(reason=lines[-1] if lines else 'it did not say why')
