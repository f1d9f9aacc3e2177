"""A progress bar that leaves the processor to the work whose progress it shows."""

from __future__ import annotations

from qtpy.QtCore import QRect, Qt, QTimer
from qtpy.QtGui import QHideEvent, QPainter, QPaintEvent, QPixmap, QShowEvent
from qtpy.QtWidgets import QProgressBar, QStyle, QStyleOptionProgressBar, QStylePainter, QWidget

_STEP_MS = 500
_PLACES = 4


class WorkBar(QProgressBar):
    """A progress bar of which a piece steps on twice a second while nobody knows how far the work is.

    Qt's own bar moves thirty times a second then, and each time the whole window is put together with
    napari's canvas: without a graphics card that takes two cores from the work that is waited for.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._place = 0
        self._timer = QTimer(self)
        self._timer.setInterval(_STEP_MS)
        self._timer.timeout.connect(self.step_on)

    @property
    def unknown(self) -> bool:
        """Whether nobody knows how far the work is."""
        return self.minimum() == self.maximum()

    def step_on(self) -> None:
        """Move the piece to its next place."""
        if self.unknown:
            self._place = (self._place + 1) % _PLACES
            self.update()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Begin to step."""
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Step no more."""
        super().hideEvent(event)
        self._timer.stop()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint the bar, or the piece of it, in the style's own look."""
        if not self.unknown:
            super().paintEvent(event)
            return
        option = QStyleOptionProgressBar()
        self.initStyleOption(option)
        option.minimum, option.maximum, option.progress = 0, _PLACES, 0
        painter = QStylePainter(self)
        painter.drawControl(QStyle.ControlElement.CE_ProgressBar, option)
        # A part of the full bar. Style sheets paint beyond a painter's clip.
        full = QPixmap(self.size() * self.devicePixelRatio())
        full.setDevicePixelRatio(self.devicePixelRatio())
        full.fill(Qt.GlobalColor.transparent)
        option.progress = _PLACES
        with QPainter(full) as of_full:
            self.style().drawControl(QStyle.ControlElement.CE_ProgressBar, option, of_full, self)
        width = self.width() // _PLACES
        painter.setClipRect(QRect(self._place * width, 0, width, self.height()))
        painter.drawPixmap(0, 0, full)
