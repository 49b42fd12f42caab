"""What ends a write-out of the host, with a sentence for the user."""

from ..errors import SolverError


class UnsupportedHostError(SolverError):
    """A host or a setting of the ``inputcard`` that JuKKR's KKRhost knows and the embedded write-out does not."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(
            f'{what} is not supported by mlkkr-kkrhost: {reason}. Write the host Green function out with JuKKR '
            '(https://jukkr.fz-juelich.de)'
        )
