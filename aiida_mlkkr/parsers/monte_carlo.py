"""The parser of simulations."""

from __future__ import annotations

from pathlib import Path

from aiida import orm
from aiida.engine import ExitCode

from aiida_mlkkr.parsers.program import ProgramParser
from aiida_mlkkr.spins.errors import SpinModelError
from aiida_mlkkr.spins.files import read_arrays
from aiida_mlkkr.spins.main import GROUND_STATE, PROGRAM, RESULTS


class MonteCarloParser(ProgramParser):
    """Parse a ``MonteCarloCalculation``: its observables, or why there are none."""

    program = PROGRAM

    def parse(self, retrieved_temporary_folder: str | None = None, **kwargs: object) -> ExitCode | None:
        """Parse the retrieved files."""
        results = Path(retrieved_temporary_folder or '', RESULTS)
        if retrieved_temporary_folder is None or not results.is_file():
            return self.unfinished()
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
