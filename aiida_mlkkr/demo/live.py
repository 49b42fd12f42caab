"""The errors of a running calculation, read from the file that it writes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiida.orm import CalcJobNode

RESULT_FILE = 'out_kkrimp'
_ERROR_LINE = re.compile(r'average rms-error\s*:\s*v\+ \+ v-\s*=\s*(\S+)')


@dataclass
class LiveErrors:
    """Follows the errors that a running calculation on this machine writes, reading only what is new."""

    values: list[float] = field(default_factory=list)
    _node: CalcJobNode | None = None
    _offset: int = 0

    def follow(self, node: CalcJobNode) -> None:
        """Read the new lines of the calculation's output; nothing happens where it is not on this machine."""
        if self._node is None or node.pk != self._node.pk:
            self._node, self._offset, self.values = node, 0, []
        folder = node.get_remote_workdir()
        if folder is None or node.computer is None or node.computer.transport_type != 'core.local':
            return
        try:
            with open(Path(folder) / RESULT_FILE, 'rb') as handle:
                handle.seek(self._offset)
                new = handle.read()
        except OSError:
            return
        complete = new[: new.rfind(b'\n') + 1]
        self._offset += len(complete)
        for match in _ERROR_LINE.finditer(complete.decode('ascii', 'replace')):
            self.values.append(float(match[1].replace('D', 'E')))
