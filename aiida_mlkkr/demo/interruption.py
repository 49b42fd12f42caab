"""Ctrl-C at a safe moment."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

from aiida_mlkkr.demo.errors import DemoInterrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """While this context is open, the first Ctrl-C (or SIGTERM) only makes `check` raise; a second one strikes at once.

    An exception that hits AiiDA's storage in the middle of a statement would leave its session unusable.
    """

    def __init__(self) -> None:
        self._requested = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True

    @property
    def requested(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._requested

    def check(self) -> None:
        """To be called wherever the work may stop.

        :raises DemoInterrupted: Ctrl-C was pressed.
        """
        if self._requested:
            raise DemoInterrupted
