"""The labels of every subset, combined in the background: a flip finds them there, and so does a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

from napari_rdl.plugin.parts.tasks import LatestTask

if TYPE_CHECKING:
    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.compare import LabelStack
    from napari_rdl.segment import Representations, Segmentation

IDLE_MS = 300
"""The result that was asked for is drawn first."""


class EverySubset(QObject):
    """Keeps the labels of all subsets of one encoded patient, where they are tumour: a few megabytes.

    Nothing is prepared for a joint model, where each subset costs a pass, nor for one that was trained on
    some subsets alone.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._task = LatestTask(self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(IDLE_MS)
        self._timer.timeout.connect(self._start)
        self._of: Representations | None = None
        self._stack: LabelStack | None = None

    @property
    def ready(self) -> bool:
        """Whether the labels of every subset are there."""
        return self._stack is not None

    def prepare(self, representations: Representations) -> None:
        """Begin with a patient as soon as the window is at rest; one that is there stays."""
        if self._of is representations:
            return
        self.drop()
        if representations.any_subset_at_once():
            self._of = representations
            self._timer.start()

    def segmentation(self, representations: Representations, subset: tuple[str, ...]) -> Segmentation | None:
        """Return a subset's result; None where it is not there yet."""
        if self._stack is None or self._of is not representations:
            return None
        return representations.segmentation(subset, self._stack.labels(subset))

    def drop(self) -> None:
        """Hold nothing of any patient."""
        self._timer.stop()
        self._task.drop()
        self._of, self._stack = None, None

    def shut_down(self) -> None:
        """Stop at once: the viewer is closing."""
        self._timer.stop()
        self._task.shut_down()
        self._of, self._stack = None, None

    def _start(self) -> None:
        representations = self._of
        if representations is None:
            return

        def collect(progress: Progress, cancelled: IsCancelled) -> LabelStack:
            from napari_rdl.compare import LabelStack

            return LabelStack.of(representations, cancelled=cancelled)

        def keep(stack: LabelStack) -> None:
            if self._of is representations:
                self._stack = stack

        self._task.ask(collect, keep)
