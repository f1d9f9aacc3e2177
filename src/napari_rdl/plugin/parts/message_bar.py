"""The sentences that the widget says: what went wrong, and what to look at before a run."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QStyle, QWidget

from napari_rdl.plugin.parts.section import SPACING, WrappedLabel

_ICONS = {
    "note": QStyle.StandardPixmap.SP_MessageBoxInformation,
    "warning": QStyle.StandardPixmap.SP_MessageBoxWarning,
    "error": QStyle.StandardPixmap.SP_MessageBoxCritical,
}


class MessageBar(QWidget):
    """A list of sentences, each with an icon for its level; it takes no room while empty."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._messages: list[tuple[str, str]] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(SPACING)
        self._grid.setColumnStretch(1, 1)
        self.setVisible(False)

    @property
    def messages(self) -> tuple[tuple[str, str], ...]:
        """What is shown, as (level, sentence)."""
        return tuple(self._messages)

    def show_messages(self, messages: Iterable[tuple[str, str]]) -> None:
        """Show (level, sentence) pairs in place of what was there; level is note, warning or error."""
        self._messages = list(messages)
        while self._grid.count():
            item = self._grid.takeAt(0)
            if item is not None and item.widget() is not None:
                item.widget().hide()
                item.widget().deleteLater()
        size = self.fontMetrics().height()
        for row, (level, sentence) in enumerate(self._messages):
            icon = QLabel()
            icon.setPixmap(self.style().standardIcon(_ICONS.get(level, _ICONS["note"])).pixmap(size, size))
            icon.setAlignment(Qt.AlignmentFlag.AlignTop)
            icon.setAccessibleName(level)
            self._grid.addWidget(icon, row, 0, Qt.AlignmentFlag.AlignTop)
            text = WrappedLabel(sentence)
            text.setAlignment(Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(text, row, 1)
        self.setVisible(bool(self._messages))

    def show_message(self, level: str, sentence: str) -> None:
        """Show one sentence."""
        self.show_messages([(level, sentence)])

    def forget_errors(self) -> None:
        """Leave out what went wrong, once it has gone well."""
        self.show_messages([one for one in self._messages if one[0] != "error"])

    def clear(self) -> None:
        """Say nothing."""
        self.show_messages([])
