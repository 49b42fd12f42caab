"""The command line as tests run it."""

from __future__ import annotations

from click.testing import CliRunner


def shown(*words: object, code: int = 0) -> str:
    """What `aiida-mlkkr` with these words says, all in one line; it has to end with the exit code."""
    from aiida_mlkkr.cli.root import aiida_mlkkr

    result = CliRunner().invoke(aiida_mlkkr, [str(word) for word in words], env={'COLUMNS': '160'})
    assert result.exit_code == code, result.output
    return ' '.join(result.output.split())
