"""Draw what a workchain called, alike processes as one box: ``verdi run utils/draw_provenance.py PK FILE``.

``verdi node graph generate PK`` draws every node; a chain of hundreds of calculations does not fit on a page.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from aiida import orm
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

COLORS = {'workflow': '#f2d7a6', 'calculation': '#c9dcef', 'function': '#e3e8e3'}
"""Of workchains, calculations on computers, and calculation functions."""


@dataclass
class Box:
    """Processes of one name that were called by those of the box before."""

    name: str
    kind: str
    number: int = 0
    inside: dict[str, Box] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows it takes with all that is inside."""
        return max(1, sum(box.rows for box in self.inside.values()))

    @property
    def depth(self) -> int:
        """How many columns it takes."""
        return 1 + max((box.depth for box in self.inside.values()), default=0)


def boxes_of(process: orm.ProcessNode, inside: dict[str, Box]) -> None:
    """Count a process and what it called."""
    name = process.process_label
    kinds = {orm.CalcJobNode: 'calculation', orm.CalcFunctionNode: 'function'}
    box = inside.setdefault(name, Box(name, kinds.get(type(process), 'workflow')))
    box.number += 1
    for called in sorted(process.called, key=lambda node: node.ctime):
        boxes_of(called, box.inside)


def draw(root: Box) -> Figure:
    """Columns from the caller to the called."""
    width, height = 2.6, 0.42
    figure = Figure(figsize=(width * root.depth, height * root.rows + 0.2))
    panel = figure.add_axes((0, 0, 1, 1))
    panel.set(xlim=(0, root.depth), ylim=(root.rows + 0.2, -0.2))
    panel.set_axis_off()
    _draw(panel, root, 0, 0.0)
    return figure


def _draw(panel, box: Box, column: int, row: float) -> float:
    """Draw a box and what is inside; return the row of its middle."""
    begin, middles = row, []
    for inside in box.inside.values():
        middles.append(_draw(panel, inside, column + 1, begin))
        begin += inside.rows
    middle = sum(middles) / len(middles) if middles else row + 0.5
    panel.add_patch(
        FancyBboxPatch(
            (column + 0.04, middle - 0.3), 0.86, 0.6, boxstyle='round,pad=0,rounding_size=0.05',
            facecolor=COLORS[box.kind], edgecolor='0.4', linewidth=0.7,
        )
    )  # fmt: skip
    count = f' ×{box.number}' if box.number > 1 else ''
    panel.text(column + 0.47, middle, f'{box.name}{count}', ha='center', va='center', fontsize=7)
    for other in middles:
        panel.plot([column + 0.9, column + 1.04], [middle, other], color='0.5', linewidth=0.7)
    return middle


def main(identifier: str, path: str) -> None:
    """Draw a process to a file."""
    found: dict[str, Box] = {}
    boxes_of(orm.load_node(identifier), found)
    (root,) = found.values()
    draw(root).savefig(path, dpi=130)


if __name__ == '__main__':
    main(*sys.argv[1:3])
