"""Painting a widget once, when its parts have found their places, and not on the way there."""

from __future__ import annotations

from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QWidget

_HELD_MS = 200
"""Work that ends sooner shows its result at once, and no bar that flashes up."""


class HeldPainting(QObject):
    """Keeps a widget from being painted for a moment, after which it is painted once.

    A part that comes or goes moves the others in several turns of Qt's loop, and in each the whole window is
    put together with napari's canvas: without a graphics card that takes two cores from the work that has
    just begun.

    Parameters
    ----------
    widget : QWidget
    """

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self._widget = widget
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.let_go)

    def hold(self) -> None:
        """Begin a moment, or have it begin anew."""
        self._widget.setUpdatesEnabled(False)
        self._timer.start(_HELD_MS)

    def let_go(self) -> None:
        """Paint it now, and from now on."""
        self._timer.stop()
        self._widget.setUpdatesEnabled(True)
