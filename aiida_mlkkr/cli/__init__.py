"""The command `aiida-mlkkr`."""

import os
import sys
import warnings


def main() -> None:
    """Entry point of the console script."""
    # aiida-core looks for verdi on the PATH as soon as it is imported; ours lies beside the interpreter,
    # whether or not its environment is activated.
    os.environ['PATH'] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get('PATH', '')])

    warnings.filterwarnings('ignore', message='Creating AiiDA configuration folder')

    from aiida_mlkkr.cli.root import aiida_mlkkr

    aiida_mlkkr(prog_name='aiida-mlkkr')
