"""Keys of the desk: what they do, which they are, and a list in which they are changed."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QGridLayout, QKeySequenceEdit, QLabel, QPushButton, QWidget

from napari_rdl.plugin.correct.refine_box import STROKES
from napari_rdl.plugin.correct.tools_box import TOOLS
from napari_rdl.plugin.parts.memory import Remembered
from napari_rdl.plugin.parts.message_bar import MessageBar
from napari_rdl.plugin.parts.section import SPACING, WrappedLabel
from napari_rdl.plugin.segment.key_bindings import why_not

ACTIONS: dict[str, tuple[str, str]] = {
    **{
        f"paint {value}": (f"Paint {name}", f"Alt+{value or 4}")
        for value, name in ((1, "NCR"), (2, "ED"), (3, "ET"), (0, "none"))
    },
    **{
        f"stroke {value}": (f"Scribble {name}", f"Alt+Shift+{number}")
        for number, (value, (name, _)) in enumerate(STROKES.items(), 1)
    },
    **{tool: (text, key) for tool, (text, _, key) in TOOLS.items()},
    "next": ("Next patient", "Alt+Right"),
    "previous": ("Previous patient", "Alt+Left"),
    "accept": ("Accept as it is", "Alt+A"),
    "finish": ("Save, done", "Alt+F"),
    "disagreement": ("Next disagreement", "Alt+R"),
    "save": ("Save corrected", ""),
}
"""Action -> its name and its key at first."""


class RememberedDesk(Remembered):
    """What the desk remembers."""

    keys: dict[str, str] = Field(
        default_factory=dict, title="Keys", description="Action -> key, where the user changed it."
    )


def all_keys(changed: Mapping[str, str]) -> dict[str, str]:
    """Return every action's key, from those that the user changed."""
    return {action: changed.get(action, key) for action, (_, key) in ACTIONS.items()}


class DeskKeyEditor(QWidget):
    """Every action and its key, to be pressed anew.

    Signals
    -------
    keys_changed : dict of str to str
        Action -> key, all of them free to use.
    """

    keys_changed = Signal(dict)

    def __init__(self, keys: Mapping[str, str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._keys = dict(keys)
        self.taken: Mapping[str, str] = {}
        """Keys of other widgets, what they do -> key."""
        self.edits: dict[str, QKeySequenceEdit] = {}
        self.message = MessageBar()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(SPACING)
        grid.setColumnStretch(1, 1)
        grid.addWidget(WrappedLabel("Undo Ctrl+Z, Redo Ctrl+Shift+Z, on the corrected layer."), 0, 0, 1, 2)
        for row, (action, (name, _)) in enumerate(ACTIONS.items(), 1):
            edit = QKeySequenceEdit(QKeySequence(self._keys[action]))
            edit.setClearButtonEnabled(True)
            edit.setMaximumSequenceLength(1)
            edit.setToolTip(f"Click, then press the key for '{name}'")
            edit.setMinimumWidth(60)
            edit.editingFinished.connect(lambda action=action: self._on_edited(action))
            label = QLabel(name)
            label.setBuddy(edit)
            grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignLeft)
            grid.addWidget(edit, row, 1)
            self.edits[action] = edit
        reset = QPushButton("Back to the first keys")
        reset.clicked.connect(self._reset)
        grid.addWidget(reset, len(ACTIONS) + 1, 0, 1, 2)
        grid.addWidget(self.message, len(ACTIONS) + 2, 0, 1, 2)

    def set_key(self, action: str, key: str) -> bool:
        """Give an action another key; False, and a sentence, where that one is taken."""
        problem = self._why_not(action, key)
        if problem is not None:
            self.edits[action].setKeySequence(QKeySequence(self._keys[action]))
            self.message.show_message("warning", problem)
            return False
        self.message.clear()
        self._keys[action] = key
        self.edits[action].setKeySequence(QKeySequence(key))
        self.keys_changed.emit(dict(self._keys))
        return True

    def _why_not(self, action: str, key: str) -> str | None:
        if not key:
            return None
        pressed = QKeySequence(key)
        for other, taken in self._keys.items():
            if other != action and taken and QKeySequence(taken) == pressed:
                return f"{key} is the key of '{ACTIONS[other][0]}' already."
        for other, taken in self.taken.items():
            if taken and QKeySequence(taken) == pressed:
                return f"{key} already flips {other}."
        return why_not(key, "", {})

    def _on_edited(self, action: str) -> None:
        key = self.edits[action].keySequence().toString(QKeySequence.SequenceFormat.PortableText)
        if key != self._keys[action]:
            self.set_key(action, key)

    def _reset(self) -> None:
        self._keys = all_keys({})
        for action, edit in self.edits.items():
            edit.setKeySequence(QKeySequence(self._keys[action]))
        self.message.clear()
        self.keys_changed.emit(dict(self._keys))
