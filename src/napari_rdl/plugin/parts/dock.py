"""What every dock widget of this plugin is made of: pages that scroll, a bar of messages, an end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_warning
from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QDockWidget,
    QFrame,
    QLabel,
    QMainWindow,
    QScrollArea,
    QTableView,
    QVBoxLayout,
    QWidget,
)
from superqt import QToggleSwitch

from napari_rdl.errors import NapariRdlError, refusal_of_system
from napari_rdl.plugin.parts.focus_ring import FocusRing
from napari_rdl.plugin.parts.message_bar import MessageBar
from napari_rdl.plugin.parts.remedies import in_words

if TYPE_CHECKING:
    from napari.viewer import Viewer

logger = logging.getLogger(__name__)

DOCK_WIDTH = 310
MARGIN, GAP = 6, 14
"""Pixels round a page, and between its sections."""


class DockWidget(QWidget):
    """A widget in napari's window: says what goes wrong, and stops when its dock or the window closes.

    A subclass lays itself out with `fill` and `page`, says in `may_close` whether napari's window may close,
    and ends in `stop` what is its own.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer

    Signals
    -------
    problem : str
        What went wrong, in a sentence.
    failed : Exception
        What went wrong, where it was an error; said already.
    """

    problem = Signal(str)
    failed = Signal(object)

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        # napari's proxy checks who asks for what; None once the widget has ended.
        self._viewer: Any = napari_viewer
        self._pages: list[QScrollArea] = []
        self._placed = False
        self._window_watch = WindowWatch(self, self.may_close, self._on_window_closed)
        self.messages = MessageBar()
        # Never shown: it has the letters that napari gives to labels.
        self._letters = QLabel(self)
        self._letters.hide()
        self._focus_ring = FocusRing(self, lambda: get_theme(self._viewer.theme).type)

    # --- Laying out

    def page(self, parts: Iterable[QWidget]) -> QScrollArea:
        """Return these parts below each other, in a page that scrolls."""
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(GAP)
        for part in parts:
            column.addWidget(part)
        column.addStretch(1)
        return self.scrolled(content)

    def scrolled(self, content: QWidget) -> QScrollArea:
        """Return `content` in a page that scrolls, and asks for the width that `content` needs."""
        scroll = QScrollArea()
        scroll.setWidget(content)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._pages.append(scroll)
        return scroll

    def fill(self, page: QWidget) -> None:
        """Take `page` below the messages."""
        self.messages.setContentsMargins(MARGIN, MARGIN, MARGIN, 0)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(MARGIN)
        outer.addWidget(self.messages)
        outer.addWidget(page, 1)

    # --- What goes wrong

    def say_error(self, error: Exception) -> None:
        """Say what went wrong: a user's error in its sentence, one of ours with its name and in the log."""
        if isinstance(error, NapariRdlError):
            sentence = in_words(error)
            logger.info("Refused: %s", sentence)
        elif isinstance(error, OSError):
            sentence = refusal_of_system(error)
            logger.warning("The system refused", exc_info=error)
        else:
            sentence = (
                f"Something went wrong that should not ({type(error).__name__}: {error}). The log says more."
            )
            logger.error("A task of the widget failed", exc_info=error)
        self.say_problem(sentence)
        self.failed.emit(error)

    def say_problem(self, sentence: str) -> None:
        """Say a sentence in the widget and in napari's notifications."""
        self.messages.show_message("error", sentence)
        show_warning(sentence)
        self.problem.emit(sentence)

    # --- Size and the end

    def may_close(self) -> bool:
        """Return whether napari's window may close; asks the user where something would be lost.

        It only asks: another widget, or napari, may still keep the window open.
        """
        return True

    def window_closed(self) -> None:
        """Do what the user answered in `may_close`; the widget is shut down next."""

    def stop(self) -> None:
        """End what is the widget's own; called once."""

    def shut_down(self) -> None:
        """Stop all work and give the viewer back; the widget is of no use then."""
        if self._viewer is None:
            return
        self.stop()
        self._focus_ring.release()
        self._window_watch.release()
        self._viewer = None

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Ask for a dock of ordinary width."""
        heights = [page.widget().sizeHint().height() for page in self._pages]
        return QSize(DOCK_WIDTH, max(heights, default=0))

    def showEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Notice the window that will be closed one day."""
        super().showEvent(event)
        # Known only now that napari's style sheet applies.
        self._take_letters()
        self._ask_for_width()
        if self._viewer is not None:
            self._window_watch.follow()
            if not self._placed:
                self._placed = True
                # Once napari has put the dock where it means it to be.
                QTimer.singleShot(0, self._lie_with_the_others)

    def _lie_with_the_others(self) -> None:
        """Make one stack of tabs with this plugin's other widgets; where a user moves it later, it stays."""
        dock = self.parent()
        window = dock.parent() if isinstance(dock, QDockWidget) else None
        if self._viewer is None or not isinstance(window, QMainWindow) or dock.isFloating():
            return
        area = window.dockWidgetArea(dock)
        others = [
            other
            for other in window.findChildren(QDockWidget)
            if other is not dock
            and not (other.isFloating() or (other.isHidden() and not window.tabifiedDockWidgets(other)))
            and window.dockWidgetArea(other) == area
            and other.findChild(DockWidget) is not None
        ]
        if others and not window.tabifiedDockWidgets(dock):
            window.tabifyDockWidget(others[0], dock)
            dock.raise_()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Ask for another width when letters are of another size."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            # Once the parts have heard of it too.
            QTimer.singleShot(0, self._ask_for_width_if_there)

    def _ask_for_width_if_there(self) -> None:
        if self._viewer is not None and self.isVisible():
            self._take_letters()
            self._ask_for_width()

    def _take_letters(self) -> None:
        """Give tables and switches the letters of labels: napari's style sheet leaves them out."""
        self._letters.ensurePolished()
        font = self._letters.font()
        for kind in (QTableView, QToggleSwitch):
            for part in self.findChildren(kind):
                if part.font().pointSizeF() != font.pointSizeF():
                    part.setFont(font)

    def _ask_for_width(self) -> None:
        """Let nothing be cut off at the right."""
        for page in self._pages:
            scroll = page.verticalScrollBar()
            bar = max(scroll.sizeHint().width(), scroll.width() if scroll.isVisible() else 0)
            page.setMinimumWidth(page.widget().minimumSizeHint().width() + bar)

    def _on_window_closed(self) -> None:
        if self._viewer is not None:
            self.window_closed()
            self.shut_down()

    def event(self, event: QEvent) -> bool:
        """Stop when the dock is closed for good: napari then takes the widget out of it."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.shut_down()
        return super().event(event)


class WindowWatch(QObject):
    """Asks before the window of a widget closes, and says when it has closed.

    In between others are asked, and napari itself: nothing is done until the window is gone from the screen.

    Parameters
    ----------
    widget : QWidget
        Its window is watched from the first call of `follow` on, wherever the widget is docked.
    may_close : callable
        Returns whether the window may close.
    closed : callable
        Called when it has closed.
    """

    def __init__(self, widget: QWidget, may_close: Callable[[], bool], closed: Callable[[], None]) -> None:
        super().__init__(widget)
        self._widget = widget
        self._may_close = may_close
        self._closed = closed
        self._allowed = False
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
        """Stop a close that may not be, and tell of one that took place."""
        if self._window is None or watched is not self._window:
            return False
        if event.type() == QEvent.Type.Close:
            # `viewer.close()` takes the window apart before it closes it: too late to stay open.
            if _being_taken_apart(self._window) or not self._window.isVisible():
                self._closed()
                return False
            self._allowed = self._may_close()
            if not self._allowed:
                event.ignore()
            return not self._allowed
        if event.type() == QEvent.Type.Hide and self._allowed and not event.spontaneous():
            self._allowed = False
            self._closed()
        return False


def _being_taken_apart(window: QWidget) -> bool:
    centre = window.centralWidget() if isinstance(window, QMainWindow) else None
    return centre is None or all(
        part.isHidden()
        for part in centre.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
    )
