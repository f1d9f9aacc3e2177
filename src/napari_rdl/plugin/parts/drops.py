"""Folders and files dropped on a widget, wherever on it."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QFrame, QWidget


class Drops(QObject):
    """Lets a widget take local folders and files, with a frame round it while they hover, and says which.

    Parameters
    ----------
    widget : QWidget

    Signals
    -------
    dropped : list of Path
    """

    dropped = Signal(list)

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self._widget = widget
        self._taking = True
        self.frame = QFrame(widget)
        self.frame.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        # palette() follows napari's theme.
        self.frame.setStyleSheet("QFrame { border: 2px solid palette(highlight); background: transparent; }")
        self.frame.hide()
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def set_taking(self, taking: bool) -> None:
        """Take drops, or none while work runs."""
        self._taking = taking

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Take local files, and nothing else."""
        if isinstance(event, QDropEvent) and event.type() in (QEvent.Type.DragEnter, QEvent.Type.Drop):
            paths = local_paths(event) if self._taking else []
            entered = event.type() == QEvent.Type.DragEnter
            self._mark(entered and bool(paths))
            if not paths:
                event.ignore()
                return True
            event.acceptProposedAction()
            if not entered:
                self.dropped.emit(paths)
            return True
        if event.type() == QEvent.Type.DragLeave:
            self._mark(False)
        return False

    def _mark(self, over: bool) -> None:
        self.frame.setGeometry(self._widget.rect())
        self.frame.setVisible(over)
        self.frame.raise_()


def local_paths(event: QDropEvent | QDragEnterEvent) -> list[Path]:
    """Return the local files and folders that a drag holds."""
    data = event.mimeData()
    if data is None or not data.hasUrls():
        return []
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
