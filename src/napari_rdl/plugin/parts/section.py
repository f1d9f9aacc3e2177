"""A titled part of the dock widget, and text that wraps instead of being cut."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QLabel, QLayout, QSizePolicy, QVBoxLayout, QWidget

SPACING = 6
SWATCH = 12
"""Pixels a side of a square that shows a colour."""
_WIDE = 10_000


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
