"""What the demo does between two looks at what the daemon runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from aiida_mlkkr.demo.errors import DemoError

if TYPE_CHECKING:
    from aiida.engine.daemon.client import DaemonClient

_POLL_SECONDS: Final = 1.0
_CHECK_SECONDS: Final = 10.0


class Pauses:
    """Pauses in which the daemon is looked at now and then.

    :param check: called at every pause; an exception that it raises ends the waiting.
    """

    def __init__(self, daemon: DaemonClient, check: Callable[[], None]) -> None:
        self._daemon = daemon
        self._check = check
        self._next_look = time.monotonic() + _CHECK_SECONDS

    def take(self) -> None:
        """Wait a moment.

        :raises DemoError: the daemon stopped.
        """
        self._check()
        if time.monotonic() > self._next_look:
            self._next_look = time.monotonic() + _CHECK_SECONDS
            if not self._daemon.is_daemon_running:
                raise DemoError(
                    'the daemon stopped; what was computed is kept. Start the demo again to go on '
                    f'(log: {self._daemon.daemon_log_file}).'
                )
        time.sleep(_POLL_SECONDS)
