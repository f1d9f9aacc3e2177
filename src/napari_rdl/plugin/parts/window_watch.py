"""Notices that napari's window is about to close."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QMainWindow, QWidget


class WindowWatch(QObject):
    """Asks before the window of a widget closes, and says when it does.

    Parameters
    ----------
    widget : QWidget
        Its window is watched from the first call of `follow` on, wherever the widget is docked.
    may_close : callable
        Returns whether the window may close.
    closing : callable
        Called when it closes.
    """

    def __init__(self, widget: QWidget, may_close: Callable[[], bool], closing: Callable[[], None]) -> None:
        super().__init__(widget)
        self._widget = widget
        self._may_close = may_close
        self._closing = closing
        self._window: QWidget | None = None

    def follow(self) -> None:
        """Watch the main window that the widget is in now; a floating dock belongs to one too."""
        window: QWidget | None = self._widget.window()
        while window is not None and not isinstance(window, QMainWindow):
            above = window.parentWidget()
            window = above.window() if above is not None else None
        if window is not None and window is not self._window:
            self.release()
            window.installEventFilter(self)
            self._window = window

    def release(self) -> None:
        """Watch nothing."""
        if self._window is not None:
            self._window.removeEventFilter(self)
            self._window = None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Stop a close that may not be, and tell of one that may."""
        if event.type() == QEvent.Type.Close and watched is self._window:
            # `viewer.close()` takes the window apart before it closes it: too late to stay open.
            if not _being_taken_apart(self._window) and not self._may_close():
                event.ignore()
                return True
            self._closing()
        return False


def _being_taken_apart(window: QWidget) -> bool:
    centre = window.centralWidget() if isinstance(window, QMainWindow) else None
    return centre is None or all(
        part.isHidden()
        for part in centre.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
    )
