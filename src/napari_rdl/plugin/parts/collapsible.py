"""A part of the widget that opens and closes under its title."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtGui import QIcon, QPixmap
from qtpy.QtWidgets import QSizePolicy, QWidget
from superqt import QCollapsible

from napari_rdl.plugin.parts.section import SPACING

_OPEN, _CLOSED = "▾", "▸"
_UNBOUNDED = 2**24 - 1
"""Qt's greatest height."""
# Closed it looks like a button, open like a section's heading.
_STYLE = """
QPushButton { text-align: left; border: none; }
QPushButton:checked { background: transparent; font-weight: bold; }
"""


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
