"""The history of a corrected label map: every step can be taken back and made again, without a limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_rdl.correct.edits import Edit, Source, Step

IDLE_SECONDS = 60.0
"""A pause between two steps counts as work up to this long."""


class Keeper(Protocol):
    """What is told of each change to a history; a journal, usually."""

    def step(self, step: Step) -> None:
        """Take note of a new step; what was undone before it is gone."""

    def undo(self) -> None:
        """Take note that the last step was taken back."""

    def redo(self) -> None:
        """Take note that a step was made again."""


class History:
    """A corrected label map and how it came to be.

    Parameters
    ----------
    base : ndarray of uint8, shape (X, Y, Z)
        Class indices that the work began with; never changed.
    clock : callable
        Seconds since 1970.

    Attributes
    ----------
    base : ndarray of uint8
    labels : ndarray of uint8
        What stands now; read only for others.
    sources : ndarray of uint8
        `Source` of each voxel.
    """

    def __init__(self, base: NDArray[np.uint8], clock: Callable[[], float] = time.time) -> None:
        self.base = np.ascontiguousarray(base, np.uint8).copy()
        self.labels = self.base.copy()
        self.sources = np.zeros_like(self.base)
        self.keeper: Keeper | None = None
        self._clock = clock
        self._steps: list[Step] = []
        self._position = 0

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, those that were taken back last among them."""
        return tuple(self._steps)

    @property
    def position(self) -> int:
        """How many steps stand."""
        return self._position

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return self._position > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to make again."""
        return self._position < len(self._steps)

    @property
    def undo_name(self) -> str:
        """What would be taken back."""
        return self._steps[self._position - 1].name if self.can_undo else ""

    @property
    def redo_name(self) -> str:
        """What would be made again."""
        return self._steps[self._position].name if self.can_redo else ""

    def seconds_at_work(self, since: int = 0) -> float:
        """Return how long the steps from number `since` on took; long pauses count as a minute."""
        times = np.array([step.time for step in self._steps[since : self._position]])
        return float(np.clip(np.diff(times), 0, IDLE_SECONDS).sum()) if len(times) > 1 else 0.0

    def apply(self, edit: Edit, name: str, source: Source = Source.HUMAN) -> Edit:
        """Make an edit and return what of it changes anything; an edit that changes nothing is no step.

        Raises
        ------
        ValueError
            If it leaves the volume.
        """
        flat, sources = self.labels.reshape(-1), self.sources.reshape(-1)
        if len(edit) and not (edit.indices[0] >= 0 and edit.indices[-1] < flat.size):
            raise ValueError("an edit outside the volume")
        edit = edit.where(flat[edit.indices] != edit.values)
        if not len(edit):
            return edit
        step = Step.pack(
            name,
            self._clock(),
            source,
            edit.indices,
            flat[edit.indices],
            edit.values,
            sources[edit.indices],
        )
        flat[edit.indices] = edit.values
        sources[edit.indices] = source
        self._take(step)
        if self.keeper is not None:
            self.keeper.step(step)
        return edit

    def undo(self) -> Edit | None:
        """Take the last step back and return what that wrote; None where there is none."""
        if not self.can_undo:
            return None
        indices, old, _, old_sources = self._steps[self._position - 1].unpack()
        self.labels.reshape(-1)[indices] = old
        self.sources.reshape(-1)[indices] = old_sources
        self._position -= 1
        if self.keeper is not None:
            self.keeper.undo()
        return Edit(indices, old)

    def redo(self) -> Edit | None:
        """Make the step taken back last again and return what that wrote; None where there is none."""
        if not self.can_redo:
            return None
        edit = self._write(self._steps[self._position])
        self._position += 1
        if self.keeper is not None:
            self.keeper.redo()
        return edit

    def replay(self, step: Step) -> None:
        """Take a step from a journal, as if it were made now.

        Raises
        ------
        ValueError
            If it does not follow from what stands.
        """
        flat = self.labels.reshape(-1)
        if step.count > flat.size:
            raise ValueError("a step of more voxels than the volume has")
        indices, old, _, _ = step.unpack()
        if len(indices) and not (indices.min() >= 0 and indices.max() < flat.size):
            raise ValueError("a step outside the volume")
        if not np.array_equal(flat[indices], old):
            raise ValueError("a step that does not follow from the one before")
        self._write(step)
        self._take(step)

    def _write(self, step: Step) -> Edit:
        indices, _, new, _ = step.unpack()
        self.labels.reshape(-1)[indices] = new
        self.sources.reshape(-1)[indices] = step.source
        return Edit(indices, new)

    def _take(self, step: Step) -> None:
        del self._steps[self._position :]
        self._steps.append(step)
        self._position += 1
