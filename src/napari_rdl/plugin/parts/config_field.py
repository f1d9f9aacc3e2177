"""One setting in a form: its label, its editor, a mark where it was changed, its problem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_rdl.plugin.parts.config_editors import kind_of, limits_in_words, make_editor
from napari_rdl.plugin.parts.section import SPACING, WrappedLabel

CHANGED_MARK = " •"
_LETTERS_SEEN = 12
"""So many letters of a text are surely seen in a narrow dock."""


class FieldRow(QWidget):
    """One setting: label, tick where it may be absent, editor, and its problem below.

    Signals
    -------
    edited : no value
        The user, or code, gave it another value.
    """

    edited = Signal()

    def __init__(
        self,
        key: str,
        field: FieldInfo,
        titles: Mapping[str, str] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.key = key
        self.title = field.title or key.rpartition(".")[2].replace("_", " ").capitalize()
        self._tip = " ".join(filter(None, (field.description, limits_in_words(field))))
        self._base: Any = None
        self.editor = make_editor(field, titles)
        self.tick = QCheckBox() if kind_of(field).optional else None
        self.label = QLabel(self.title)
        self.label.setWordWrap(True)
        self.label.setBuddy(self.editor.native)
        if self.tick is not None:
            self.tick.setAccessibleName(f"Set {self.title}")
        self.problem = WrappedLabel()
        self.problem.setObjectName("problem")
        row = QHBoxLayout()
        row.setSpacing(SPACING)
        row.addWidget(self.label, 5)
        self.input = QWidget()
        right = QHBoxLayout(self.input)
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(SPACING)
        if self.tick is not None:
            right.addWidget(self.tick)
            self.tick.toggled.connect(self._on_ticked)
        right.addWidget(self.editor.native, 1)
        row.addWidget(self.input, 6)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self.problem)
        self.editor.widget.changed.connect(self._on_edited)
        self._show_mark()

    @property
    def value(self) -> Any:
        """The setting; None where it is switched off."""
        if self.tick is not None and not self.tick.isChecked():
            return None
        return self.editor.value

    @value.setter
    def value(self, value: Any) -> None:
        if self.tick is not None:
            with QSignalBlocker(self.tick):
                self.tick.setChecked(value is not None)
            self.editor.native.setEnabled(value is not None)
        if value is not None:
            with self.editor.widget.changed.blocked():
                self.editor.show(value)
        self._on_edited()

    @property
    def changed(self) -> bool:
        """Whether the value is not the one that the form began with."""
        return _plain(self.value) != _plain(self._base)

    def lay_out_in(self, grid: QGridLayout) -> None:
        """Put label and input into the columns of a grid, below what it has, in place of a row of its own."""
        number = grid.rowCount()
        self.label.setWordWrap(False)
        grid.addWidget(self.label, number, 0)
        grid.addWidget(self.input, number, 1)
        grid.addWidget(self.problem, number + 1, 0, 1, 2)

    def set_base(self, value: Any) -> None:
        """Begin with this value."""
        self._base = value
        self.value = value

    def reset(self) -> None:
        """Go back to the value that the form began with."""
        self.value = self._base

    def show_problem(self, sentence: str) -> None:
        """Say what is wrong with the value; nothing takes no room."""
        self.problem.setText(sentence)

    def _on_ticked(self, on: bool) -> None:
        self.editor.native.setEnabled(on)
        self._on_edited()

    def _on_edited(self, _value: object = None) -> None:
        self._show_mark()
        self.edited.emit()

    def _show_mark(self) -> None:
        changed = self.changed
        self.label.setText(self.title + (CHANGED_MARK if changed else ""))
        # napari's style sheet sets size and colour; only the weight is ours.
        self.label.setStyleSheet("font-weight: bold;" if changed else "")
        was = "off" if self._base is None else _shown(self._base)
        tip = f"{self._tip}\nThe recipe has: {was}" if changed else self._tip
        self.label.setToolTip(tip)
        self.editor.native.setToolTip(f"{tip}{self._in_full()}")
        if self.tick is not None:
            self.tick.setToolTip(f"Off: not set.\n{tip}")

    def _in_full(self) -> str:
        native = self.editor.native
        text = native.text() if isinstance(native, QLineEdit) else ""
        return f"\nIn full: {text}" if len(text) > _LETTERS_SEEN else ""


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
