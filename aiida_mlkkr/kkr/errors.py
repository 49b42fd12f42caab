"""Errors of the file layer."""


class KkrFileError(ValueError):
    """A file is damaged, foreign, or does not fit what it should describe; the message names the file."""
