"""A titled part of a dock widget, one that opens and closes, and text that wraps instead of being cut."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from qtpy.QtCore import QCoreApplication, QEvent, QObject, QSize, Qt
from qtpy.QtGui import QIcon, QPixmap
from qtpy.QtWidgets import QLabel, QLayout, QSizePolicy, QVBoxLayout, QWidget
from superqt import QCollapsible

SPACING = 6
SWATCH = 12
"""Pixels a side of a square that shows a colour."""
_WIDE = 10_000
_OPEN, _CLOSED = "▾", "▸"
_LEVELS = 4
"""From a section to its page, the page's scroll area, the dock and the window."""
_UNBOUNDED = 2**24 - 1
"""Qt's greatest height."""
# Closed it looks like a button, open like a section's heading.
_STYLE = """
QPushButton { text-align: left; border: none; }
QPushButton:checked { background: transparent; font-weight: bold; }
"""


class Section(QWidget):
    """A heading and what is put below."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        heading = QLabel(title)
        # napari's style sheet sets size and colour; only the weight is ours.
        heading.setStyleSheet("font-weight: bold;")
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(SPACING)
        self.body.addWidget(heading)


def tab_as_laid_out(root: QWidget) -> None:
    """Let the Tab key go through `root` as its layouts have it; Qt goes by when parts were made."""
    stops = list(_tab_stops(root))
    for before, after in pairwise(stops):
        QWidget.setTabOrder(before, after)


def _tab_stops(widget: QWidget) -> Iterator[QWidget]:
    if widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
        yield widget
    elif widget.layout() is not None:
        yield from _tab_stops_of(widget.layout())


def _tab_stops_of(layout: QLayout) -> Iterator[QWidget]:
    for number in range(layout.count()):
        item = layout.itemAt(number)
        if item is None:
            continue
        if item.widget() is not None:
            yield from _tab_stops(item.widget())
        elif item.layout() is not None:
            yield from _tab_stops_of(item.layout())


class WrappedLabel(QLabel):
    """A label that breaks its lines at the dock's width and may be selected and copied."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setText(text)

    def text(self) -> str:
        """Return the text as it was given."""
        return self._text

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Ask for a line; how many there are is said by the height for the width, which is not known here."""
        return QSize(super().sizeHint().width(), self.heightForWidth(_WIDE))

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Ask for a line."""
        return QSize(0, self.heightForWidth(_WIDE))

    def setText(self, text: str) -> None:  # noqa: N802 - Qt's name
        """Show `text`; an empty label takes no room."""
        self._text = text
        # Qt breaks lines at spaces only, and paths have none: allow a break after their marks.
        super().setText(re.sub(r"(?<=[/\\_])", "\u200b", text))
        self.setVisible(bool(text))


def settle_layouts() -> None:
    """Have everything laid out anew now that is to be.

    A text that changes has its parent laid out, which has its own laid out, and so on up to the window; left
    to Qt, each of them comes a picture later, and the whole window is put together for each.
    """
    for _ in range(_LEVELS):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)


class Collapsible(QCollapsible):
    """Opens and closes at once; its arrow is text, so that it has the theme's colour."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        # superqt draws its arrows in the colour that text has before the theme is there: see through them.
        nothing = QPixmap(1, 1)
        nothing.fill(Qt.GlobalColor.transparent)
        super().__init__(title, parent, expandedIcon=QIcon(nothing), collapsedIcon=QIcon(nothing))
        self._title = title
        self.setDuration(0)
        self.toggleButton().setStyleSheet(_STYLE)
        self.toggleButton().setIconSize(QSize(1, 1))
        # Closed, what is below the title takes no room, and neither does the gap above it.
        self.layout().setContentsMargins(0, 0, 0, 0)
        self.layout().setSpacing(0)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.content().layout().setContentsMargins(0, SPACING, 0, 0)
        self.toggled.connect(self._on_toggled)
        self._on_toggled(False)

    def text(self) -> str:
        """Return the title."""
        return self._title

    def setText(self, text: str) -> None:  # noqa: N802 - Qt's name
        """Give it another title."""
        self._title = text
        self._on_toggled(self.isExpanded())

    def setToolTip(self, text: str) -> None:  # noqa: N802 - Qt's name
        """Explain the title alone: what is below has explanations of its own."""
        self.toggleButton().setToolTip(text)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Ask for the width that is needed once it is open, so that nothing is cut off then."""
        least = super().minimumSizeHint()
        return least.expandedTo(QSize(self.content().minimumSizeHint().width(), 0))

    def _on_toggled(self, opened: bool) -> None:
        self.toggleButton().setText(f"{_OPEN if opened else _CLOSED}  {self._title}")
        self.toggleButton().setAccessibleName(self._title)
        # The Tab key passes by what is hidden; what has no height it would not.
        self.content().setVisible(opened)
        # superqt's bound is the height before lines are broken, which may cut them off.
        self.content().setMaximumHeight(_UNBOUNDED if opened else 0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Leave the height to the layout."""
        return False


def plain_collapsible(title: str, content: QWidget, tip: str) -> Collapsible:
    """Return `content` under a title, closed; `tip` explains the title."""
    collapsible = Collapsible(title)
    collapsible.setToolTip(tip)
    collapsible.addWidget(content)
    collapsible.collapse(animate=False)
    return collapsible
