"""A ring round the control that the keyboard speaks to; napari's theme shows it hardly or not at all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from qtpy.QtCore import QEvent, QObject, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QApplication, QScrollArea, QTabWidget, QWidget

COLOURS = {"dark": "#ffb000", "light": "#0a3fa8"}
"""Seen on every ground that a theme of this type has."""

LINE = 2
_RADIUS = 2
_HOLDERS = (QScrollArea, QTabWidget)


class FocusRing(QObject):
    """Follows the focus within one widget.

    Parameters
    ----------
    within : QWidget
        Only its parts get a ring.
    theme_type : callable
        Returns ``"dark"`` or ``"light"``.

    Attributes
    ----------
    ring : Ring or None
        The one that is shown.
    """

    def __init__(self, within: QWidget, theme_type: Callable[[], str]) -> None:
        super().__init__(within)
        self._within = within
        self._theme_type = theme_type
        self.ring: Ring | None = None
        self._application = QApplication.instance()
        self._application.focusChanged.connect(self._on_focus)

    def release(self) -> None:
        """Follow nothing any more."""
        self._application.focusChanged.disconnect(self._on_focus)
        self._show(None)

    def _on_focus(self, _before: QWidget | None, now: QWidget | None) -> None:
        # What only holds controls is none, and another widget's control is that one's to show.
        mine = now is not None and self._within.isAncestorOf(now) and not isinstance(now, _HOLDERS)
        self._show(now if mine else None)

    def _show(self, control: QWidget | None) -> None:
        if self.ring is not None:
            # It may have gone with the control's parent.
            with suppress(RuntimeError):
                self.ring.hide()
                self.ring.deleteLater()
        self.ring = Ring(control, COLOURS[self._theme_type()]) if control is not None else None


class Ring(QWidget):
    """Lies on a control, just inside its edge, where nothing cuts it off."""

    def __init__(self, control: QWidget, colour: str) -> None:
        super().__init__(control.parentWidget())
        self._colour = QColor(colour)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        control.installEventFilter(self)
        self.setGeometry(control.geometry())
        self.show()
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Stay on the control."""
        if isinstance(watched, QWidget) and event.type() in (QEvent.Type.Move, QEvent.Type.Resize):
            self.setGeometry(watched.geometry())
        return False

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Paint the ring and nothing else."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._colour, LINE))
        inset = LINE / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), _RADIUS, _RADIUS)
        painter.end()
