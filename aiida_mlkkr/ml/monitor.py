"""What a long training tells while it runs, and what it is told."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
Checkpoint = tuple[Arrays, dict[str, Any]]
"""Arrays, and the rest in plain JSON."""


class TrainingInterrupted(Exception):
    """A training was told to stop; its last checkpoint has been saved."""


class Monitor:
    """Watches a training. This one is silent, never stops it and keeps no checkpoints."""

    def progress(self, stage: str, done: int, total: int, losses: dict[str, float]) -> None:
        """So far ``done`` of ``total`` steps (epochs, folds) of a stage are behind, with these losses."""

    def should_stop(self) -> bool:
        """Whether the training is to save a checkpoint and raise :class:`TrainingInterrupted`."""
        return False

    def save(self, arrays: Arrays, state: dict[str, Any]) -> None:
        """Keep a checkpoint in place of the last one."""

    def restore(self) -> Checkpoint | None:
        """The checkpoint to go on from, if there is one."""
        return None
