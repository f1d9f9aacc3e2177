"""What is said in a line, and in full when it is clicked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QFont, QFontMetrics, QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_rdl.plugin.parts.message_bar import MessageBar
from napari_rdl.plugin.parts.section import Collapsible, WrappedLabel

_BESIDE = 12
"""Pixels that a button leaves beside its text."""
_LEVELS = ("error", "warning", "note")


class Folded(Collapsible):
    """A line that is cut where the dock ends, with what it stands for below it, closed.

    Parameters
    ----------
    content : QWidget
    tip : str
        Explains the line.
    """

    def __init__(self, content: QWidget, tip: str, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.setToolTip(tip)
        self.addWidget(content)
        # A line as long as a sentence asks for no room of its own.
        self.toggleButton().setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.toggleButton().setMinimumWidth(0)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Cut the line anew."""
        super().resizeEvent(event)
        self._on_toggled(self.isExpanded())

    def _on_toggled(self, opened: bool) -> None:
        super()._on_toggled(opened)
        button = self.toggleButton()
        button.setAccessibleName(self._title or button.toolTip())
        room = self.width() - _BESIDE
        if room > 0:  # else it has no place yet, and is resized when it gets one
            # napari's style makes the line of what is open bold.
            font = QFont(button.font())
            font.setBold(opened)
            cut = QFontMetrics(font).elidedText(button.text(), Qt.TextElideMode.ElideRight, room)
            button.setText(cut)


class FoldedText(Folded):
    """Text of several sentences behind its first."""

    def __init__(self, tip: str, parent: QWidget | None = None) -> None:
        self._label = WrappedLabel()
        super().__init__(self._label, tip, parent)

    def text(self) -> str:
        """Return the whole text."""
        return self._label.text()

    def setText(self, text: str) -> None:  # noqa: N802 - Qt's name
        """Say another text; an empty one takes no room."""
        self._label.setText(text)
        super().setText(text.partition(". ")[0].rstrip(".") or text)
        self.setVisible(bool(text))


class FoldedMessages(Folded):
    """Sentences with a level each: the worst one in the line, all of them below; no room while empty."""

    def __init__(self, tip: str, parent: QWidget | None = None) -> None:
        self._bar = MessageBar()
        super().__init__(self._bar, tip, parent)
        self.setVisible(False)

    @property
    def messages(self) -> tuple[tuple[str, str], ...]:
        """What is said, as (level, sentence)."""
        return self._bar.messages

    def show_messages(self, messages: Iterable[tuple[str, str]]) -> None:
        """Show (level, sentence) pairs in place of what was there, folded."""
        said = list(messages)
        self._bar.show_messages(said)
        self.setText(_line(said))
        self.setVisible(bool(said))
        self.collapse(animate=False)


def _line(messages: Sequence[tuple[str, str]]) -> str:
    """Return how many there are of each level and, if any needs a look, the worst one's beginning."""
    counts = Counter(level for level, _ in messages)
    said = ", ".join(
        f"{counts[level]} {level}{'' if counts[level] == 1 else 's'}" for level in _LEVELS if counts[level]
    )
    worst = next((level for level in _LEVELS if counts[level]), "note")
    if worst == "note":
        return said
    return f"{said}: {next(sentence for level, sentence in messages if level == worst)}"
