"""What ends a calculation of the embedded solver, with a sentence for the user."""


class SolverError(Exception):
    """The calculation cannot go on; the message says why and what to do."""


class UnsupportedSettingError(SolverError):
    """A setting of ``config.cfg`` that JuKKR's KKRimp knows and the embedded solver does not, or nobody knows."""

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(
            f"{setting} is not supported by mlkkr-kkrimp: {reason}. Run this calculation with JuKKR's KKRimp "
            '(https://jukkr.fz-juelich.de), or change the setting.'
        )


class InconsistentInputError(SolverError):
    """Input files that do not belong together."""


class ScfBreakdownError(SolverError):
    """The iterations led to something that is not a potential any more."""
