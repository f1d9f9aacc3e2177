"""One corrected layer and its history: what is painted becomes a step, and a step taken back is unpainted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from app_model.types import KeyCode, KeyMod
from qtpy.QtCore import QObject, QTimer, Signal

from napari_rdl.boxes import Box, union
from napari_rdl.correct import Edit, History, Protection, Source
from napari_rdl.plugin.correct.strokes import painted_box
from napari_rdl.plugin.viewer.appearance import redraw
from napari_rdl.plugin.viewer.roles import case_of

if TYPE_CHECKING:
    from napari.layers import Labels
    from numpy.typing import NDArray

_LOOK_MS = 1000
"""How often the volumes are compared, for what paints without telling."""
_NAMES = {"paint": "brush", "erase": "eraser", "fill": "fill", "polygon": "polygon"}
UNDO = KeyMod.CtrlCmd | KeyCode.KeyZ
REDO = KeyMod.CtrlCmd | KeyMod.Shift | KeyCode.KeyZ
"""napari's own keys, which are ours on the layers that our history rules."""


class Recorder(QObject):
    """Keeps a layer and a history in step. Main thread only.

    Our history rules the layer: its undo and redo keys are bound to ours.

    Parameters
    ----------
    layer : Labels
        The corrected layer, which holds ``history.labels``.
    history : History

    Signals
    -------
    changed : no value
        The history went on or back.
    walked : no value
        A step was taken back or made again; `changed` was sent before.
    problem : str
        The layer can no longer be followed, or an edit was refused.
    """

    changed = Signal()
    walked = Signal()
    problem = Signal(str)

    def __init__(self, layer: Labels, history: History, parent: QObject) -> None:
        super().__init__(parent)
        self.layer = layer
        self.history = history
        self.protection = Protection()
        self._boxes: list[Box | None] = []
        self._lost = False
        layer.events.paint.connect(self._on_paint)
        layer.bind_key(UNDO, lambda _layer: self.undo(), overwrite=True)
        layer.bind_key(REDO, lambda _layer: self.redo(), overwrite=True)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self._take_strokes)
        self._look = QTimer(self)
        self._look.setInterval(_LOOK_MS)
        self._look.timeout.connect(self._look_for_others)
        self._look.start()

    def close(self) -> None:
        """Take what is painted and follow the layer no longer."""
        self.settle()
        self._soon.stop()
        self._look.stop()
        self.layer.events.paint.disconnect(self._on_paint)
        for key in (UNDO, REDO):
            self.layer.bind_key(key, None, overwrite=True)

    def settle(self) -> None:
        """Take whatever was painted into the history, however it came there."""
        self._soon.stop()
        self._boxes.clear()
        self._take(None)

    def apply(self, edit: Edit, name: str, source: Source = Source.HUMAN) -> int:
        """Make an edit as far as the protection lets it, and return how many voxels it changed."""
        self.settle()
        made = self.history.apply(self._allowed(edit), name, source)
        if len(made):
            self._write(made)
            self.changed.emit()
        return len(made)

    def undo(self) -> None:
        """Take the last step back."""
        self._walk(self.history.undo)

    def redo(self) -> None:
        """Make the step taken back last again."""
        self._walk(self.history.redo)

    def _walk(self, move: Callable[[], Edit | None]) -> None:
        self.settle()
        edit = move()
        if edit is not None:
            self._write(edit)
            self.changed.emit()
            self.walked.emit()

    def _on_paint(self, event: Any) -> None:
        self._boxes.append(painted_box(event.value, self.history.labels.shape))
        # napari tells of some edits before it makes them.
        self._soon.start()

    def _take_strokes(self) -> None:
        boxes, self._boxes = self._boxes, []
        known = [box for box in boxes if box is not None]
        self._take(union(known) if len(known) == len(boxes) and known else None)

    def _look_for_others(self) -> None:
        # A stroke under way is one step, not two.
        if not self._soon.isActive() and not getattr(self.layer, "_block_history", False):
            self._take(None)

    def _take(self, box: Box | None) -> None:
        data, labels = np.asarray(self.layer.data), self.history.labels
        if data.shape != labels.shape:
            if not self._lost:
                self._lost = True
                self.problem.emit(
                    f"The layer '{self.layer.name}' was given another shape: what is painted now is not "
                    "kept. Undo brings the corrections back."
                )
            return
        self._lost = False
        if box is None and np.array_equal(data, labels):
            return
        data = self._within_bytes(data)
        wanted = Edit.between(labels, data, box)
        if not len(wanted):
            return
        allowed = self._allowed(wanted)
        if len(allowed) < len(wanted):
            refused = wanted.where(~np.isin(wanted.indices, allowed.indices))
            self._write(Edit(refused.indices, labels.reshape(-1)[refused.indices]))
        name = _NAMES.get(str(self.layer.mode), "edit")
        if len(self.history.apply(allowed, name)):
            self.changed.emit()

    def _within_bytes(self, data: NDArray[Any]) -> NDArray[Any]:
        """Return data without values that no label has; those are put back, and it is said."""
        if data.dtype == np.uint8:
            return data
        odd = (data != np.clip(data, 0, 255)) | (data != np.floor(data))
        if odd.any():
            values = ", ".join(f"{value:g}" for value in np.unique(data[odd])[:3])
            data = np.where(odd, self.history.labels, data)
            self.layer.data[odd] = self.history.labels[odd]
            redraw(self.layer)
            self.problem.emit(
                f"The layer '{self.layer.name}' was given values that are no labels ({values}): those voxels "
                "stay what they were."
            )
        return data

    def _allowed(self, edit: Edit) -> Edit:
        case = case_of(self.layer)
        return self.protection.allowed(edit, self.history.labels, case.images if case is not None else {})

    def _write(self, edit: Edit) -> None:
        if np.shape(self.layer.data) != self.history.labels.shape:
            self.layer.data = self.history.labels.copy()
        self.layer.data[np.unravel_index(edit.indices, self.history.labels.shape)] = edit.values
        redraw(self.layer)
