"""What calculations have in common that run a program of this package, which goes on from checkpoints."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob
from aiida.engine.processes.calcjobs.calcjob import validate_calc_job

from aiida_mlkkr import __version__
from aiida_mlkkr.common.program import PROGRESS

_LEAST_MARGIN: Final = 60.0
_MARGIN: Final = 0.05
"""Of the wallclock time, kept for the start of the program, its last step and its checkpoint."""


def validate_program(value: Mapping[str, Any], port: Any) -> str | None:
    """Message of AiiDA's own, or on a checkpoint that the computer of the code does not have."""
    complete = 'resources' in value.get('metadata', {}).get('options', {})  # no default is filled in a builder yet
    if complete and (message := validate_calc_job(value, port)):
        return message
    parent, code = value.get('parent_folder'), value.get('code')
    if parent is None or code is None or parent.computer.pk == code.computer.pk:
        return None
    return f'parent_folder is on {parent.computer.label}, the code on {code.computer.label}'


def program_walltime(max_wallclock_seconds: float) -> float:
    """Seconds after which the program of a job with a limit stops by itself."""
    return max_wallclock_seconds - min(max(_LEAST_MARGIN, _MARGIN * max_wallclock_seconds), 0.5 * max_wallclock_seconds)


class ProgramCalculation(CalcJob):
    """A program of this package that reads an order in JSON, keeps a record, and goes on from checkpoints.

    :param noun: what it does, in the words of its exit codes.
    :param order_file: name of the order; ``checkpoint_file`` that of the checkpoint.
    """

    CACHE_VERSION = __version__  # type: ignore[assignment]  # it is only compared

    noun: ClassVar[str]
    order_file: ClassVar[str]
    checkpoint_file: ClassVar[str]

    @classmethod
    def is_valid_cache(cls, node: orm.ProcessNode) -> bool:
        """Only what went well: a failure may be that of the machine, or of limits that the hash leaves out."""
        return bool(node.is_finished_ok) and super().is_valid_cache(node)

    @classmethod
    def define(cls, spec: Any) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input(
            'parent_folder',
            valid_type=orm.RemoteData,
            required=False,
            help=f'Remote folder of a {cls.noun} with the same inputs, whose checkpoint is gone on with.',
        )
        spec.inputs.validator = validate_program
        options = spec.inputs['metadata']['options']
        options['resources'].default = {'num_machines': 1, 'num_mpiprocs_per_machine': 1}
        options['withmpi'].default = False
        spec.exit_code(220, 'ERROR_INPUT_REFUSED', message=f'the {cls.noun} was refused: {{reason}}')
        spec.exit_code(
            310,
            'ERROR_OUTPUT_MISSING',
            message=f'the {cls.noun} has left no results and no checkpoint: {{reason}}. See the files of the '
            'scheduler.',
        )
        spec.exit_code(
            311,
            'ERROR_OUTPUT_INVALID',
            message=f'a result of the {cls.noun} cannot be read: {{reason}}. Run it again.',
        )
        spec.exit_code(
            400,
            'ERROR_OUT_OF_WALLTIME',
            message=f'the {cls.noun} has stopped before its time was over: give remote_folder as parent_folder to go '
            'on from its checkpoint',
        )
        spec.exit_code(
            410,
            'ERROR_INTERRUPTED',
            message=f'the {cls.noun} was interrupted ({{reason}}): give remote_folder as parent_folder to go on from '
            'its checkpoint',
        )
        spec.exit_code(
            411,
            'ERROR_ABORTED',
            message='a file could be neither read nor written: {reason}. Check permissions, disk space and quota.',
        )

    def submission(
        self, folder: Folder, order: Mapping[str, Any], data: Iterable[str], results: Iterable[str]
    ) -> CalcInfo:
        """Write the order, with the walltime of the program; return what is to be run, copied and retrieved.

        :param data: files in the folder that are in nodes anyway.
        :param results: files that the program leaves, beside its record.
        """
        options = self.inputs.metadata.options
        limit = options.get('max_wallclock_seconds')
        walltime = {} if limit is None else {'walltime': program_walltime(limit)}
        with folder.open(self.order_file, 'w', encoding='utf-8') as file:
            json.dump({**order, **walltime}, file, indent=1)
        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.stdout_name = options.output_filename
        code.withmpi = options.withmpi
        info = CalcInfo()
        info.codes_info = [code]
        info.provenance_exclude_list = list(data)
        info.retrieve_list = [*results, PROGRESS, options.output_filename]
        if 'parent_folder' in self.inputs:
            parent = self.inputs.parent_folder
            info.remote_copy_list = [
                (parent.computer.uuid, str(Path(parent.get_remote_path(), name)), name)
                for name in (self.checkpoint_file, PROGRESS)
            ]
        return info
