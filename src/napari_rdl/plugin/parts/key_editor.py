"""A table of keys to be pressed anew: what each is for, and why another cannot be had."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QGridLayout, QKeySequenceEdit, QLabel, QPushButton, QWidget

from napari_rdl.plugin.parts.message_bar import MessageBar
from napari_rdl.plugin.parts.section import SPACING


class KeyTable(QWidget):
    """One field for each action to press a key in; a subclass says which keys are refused.

    Parameters
    ----------
    titles : Mapping of str to str
        Action -> what the user reads.
    keys, first : Mapping of str to str
        Action -> key: now, and after *Back to the first keys*.
    head : QWidget, optional
        Stands above the fields.

    Signals
    -------
    keys_changed : dict of str to str
        Action -> key, all of them free to use.
    """

    keys_changed = Signal(dict)

    def __init__(
        self,
        titles: Mapping[str, str],
        keys: Mapping[str, str],
        first: Mapping[str, str],
        parent: QWidget | None = None,
        *,
        head: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._keys = dict(keys)
        self._first = dict(first)
        self.edits: dict[str, QKeySequenceEdit] = {}
        self.message = MessageBar()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(SPACING)
        grid.setColumnStretch(1, 1)
        if head is not None:
            grid.addWidget(head, 0, 0, 1, 2)
        for row, (action, title) in enumerate(titles.items(), 1):
            edit = QKeySequenceEdit(QKeySequence(self._keys.get(action, "")))
            edit.editingFinished.connect(lambda action=action: self._on_edited(action))
            label = QLabel(title)
            label.setBuddy(edit)
            grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignLeft)
            grid.addWidget(edit, row, 1)
            self.edits[action] = edit
        self.reset_button = QPushButton("Back to the first keys")
        self.reset_button.clicked.connect(self._reset)
        grid.addWidget(self.reset_button, len(titles) + 1, 0, 1, 2)
        grid.addWidget(self.message, len(titles) + 2, 0, 1, 2)

    def refusal(self, action: str, key: str) -> str | None:
        """Return in a sentence why an action cannot have a key; None if it can, as here any."""
        return None

    def set_key(self, action: str, key: str) -> bool:
        """Give an action another key; False, and a sentence, where it cannot have that one."""
        problem = self.refusal(action, key)
        if problem is not None:
            self.edits[action].setKeySequence(QKeySequence(self._keys.get(action, "")))
            self.message.show_message("warning", problem)
            return False
        self.message.clear()
        self._keys[action] = key
        self.edits[action].setKeySequence(QKeySequence(key))
        self.keys_changed.emit(dict(self._keys))
        return True

    def _on_edited(self, action: str) -> None:
        key = self.edits[action].keySequence().toString(QKeySequence.SequenceFormat.PortableText)
        if key != self._keys.get(action, ""):
            self.set_key(action, key)

    def _reset(self) -> None:
        self._keys = dict(self._first)
        for action, edit in self.edits.items():
            edit.setKeySequence(QKeySequence(self._keys[action]))
        self.message.clear()
        self.keys_changed.emit(dict(self._keys))
