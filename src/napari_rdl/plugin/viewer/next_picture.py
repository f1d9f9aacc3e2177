"""What is done when the canvas has been drawn: not before, for it would keep the picture waiting."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from qtpy.QtCore import QObject, QTimer
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QMainWindow, QWidget

LIMIT_MS = 1000
"""A window that is covered or minimised draws nothing."""


class NextPicture(QObject):
    """Calls a function once the next picture of napari's canvas stands on the screen.

    Where there is no canvas to be seen it is called as soon as Qt's loop turns.

    Parameters
    ----------
    act : callable
        What is done then.
    inside : QWidget
        A widget of the window that the canvas is in.
    parent : QObject
    """

    def __init__(self, act: Callable[[], None], inside: QWidget, parent: QObject) -> None:
        super().__init__(parent)
        self._act = act
        self._inside = inside
        self._canvas: QOpenGLWidget | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._go)

    def wait(self) -> None:
        """Begin to wait, for the next picture from now on."""
        self.stop()
        canvas = self._canvas_seen()
        if canvas is not None:
            canvas.frameSwapped.connect(self._on_drawn)
            self._canvas = canvas
        self._timer.start(LIMIT_MS if canvas is not None else 0)

    def stop(self) -> None:
        """Wait no longer; the function is not called."""
        self._timer.stop()
        if self._canvas is not None:
            with suppress(RuntimeError):  # it may have gone with its window
                self._canvas.frameSwapped.disconnect(self._on_drawn)
            self._canvas = None

    def _on_drawn(self) -> None:
        # Not while the window is being drawn.
        self._timer.start(0)

    def _go(self) -> None:
        self.stop()
        self._act()

    def _canvas_seen(self) -> QOpenGLWidget | None:
        window = self._inside.window()
        middle = window.centralWidget() if isinstance(window, QMainWindow) else None
        canvas = middle.findChild(QOpenGLWidget) if middle is not None else None
        return canvas if canvas is not None and canvas.isVisible() else None
