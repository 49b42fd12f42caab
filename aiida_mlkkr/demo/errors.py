"""What can keep the demo from running."""


class DemoError(Exception):
    """The demo cannot go on; the message says what is wrong and what to do."""


class DemoInterrupted(DemoError):
    """The user stopped the demo."""

    def __init__(self) -> None:
        super().__init__('interrupted. What was computed is kept: the same command goes on from here.')
