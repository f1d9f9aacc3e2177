"""Keys of the desk: what they do, which they are, and a list in which they are changed."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QWidget

from napari_rdl.plugin.correct.refine_box import STROKES
from napari_rdl.plugin.correct.tools_box import TOOLS
from napari_rdl.plugin.parts.key_editor import KeyTable
from napari_rdl.plugin.parts.memory import Remembered
from napari_rdl.plugin.parts.section import WrappedLabel
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


class DeskKeyEditor(KeyTable):
    """Every action and its key, to be pressed anew."""

    def __init__(self, keys: Mapping[str, str], parent: QWidget | None = None) -> None:
        titles = {action: title for action, (title, _) in ACTIONS.items()}
        head = WrappedLabel("Undo Ctrl+Z, Redo Ctrl+Shift+Z, on the corrected layer.")
        super().__init__(titles, keys, all_keys({}), parent, head=head)
        self.taken: Mapping[str, str] = {}
        """Keys of other widgets, what they do -> key."""
        for action, edit in self.edits.items():
            edit.setClearButtonEnabled(True)
            edit.setMaximumSequenceLength(1)
            edit.setToolTip(f"Click, then press the key for '{titles[action]}'")
            edit.setMinimumWidth(60)

    def refusal(self, action: str, key: str) -> str | None:
        """Return in a sentence why an action cannot have a key; None if it can."""
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
