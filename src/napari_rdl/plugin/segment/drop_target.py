"""A place to drop a patient's folder or files.

A folder dropped on napari itself brings up a chooser of readers, once per path; here it does not.
"""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from qtpy.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget


class DropTarget(QFrame):
    """Accepts local folders and files and says which.

    Signals
    -------
    dropped : list of Path
    """

    dropped = Signal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAcceptDrops(True)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setToolTip("Drop the folder of one patient, or its NIfTI files, one per modality")
        self._label = QLabel("or drop a folder or NIfTI files here")
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._label.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.addWidget(self._label)
        self._mark(False)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Take local files, and nothing else."""
        if _local_paths(event):
            event.acceptProposedAction()
            self._mark(True)
        else:
            event.ignore()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:  # noqa: N802 - Qt's name
        """Look idle again."""
        self._mark(False)
        event.accept()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Say what was dropped."""
        self._mark(False)
        paths = _local_paths(event)
        if paths:
            event.acceptProposedAction()
            self.dropped.emit(paths)

    def _mark(self, over: bool) -> None:
        # palette() follows napari's theme; the style sheet only draws the frame.
        line = "2px solid palette(highlight)" if over else "1px dashed palette(mid)"
        self.setStyleSheet(f"DropTarget {{ border: {line}; border-radius: 4px; }}")


def _local_paths(event: QDropEvent | QDragEnterEvent) -> list[Path]:
    data = event.mimeData()
    if data is None or not data.hasUrls():
        return []
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
