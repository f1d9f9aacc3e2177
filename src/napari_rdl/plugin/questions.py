"""What is asked before anything is lost."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from qtpy.QtWidgets import QMessageBox, QWidget

_Button = QMessageBox.StandardButton


class Answer(Enum):
    """What to do with unsaved corrections."""

    SAVE = "save"
    DISCARD = "discard"
    CANCEL = "cancel"


def ask_about_corrections(parent: QWidget, occasion: str) -> Answer:
    """Ask what becomes of unsaved corrections; `occasion` says what would lose them."""
    pressed = QMessageBox.warning(
        parent,
        "Unsaved corrections",
        f"The corrected layer has changes that are not saved. {occasion}",
        _Button.Save | _Button.Discard | _Button.Cancel,
        _Button.Save,
    )
    return {_Button.Save: Answer.SAVE, _Button.Discard: Answer.DISCARD}.get(_Button(pressed), Answer.CANCEL)


def ask_to_replace(parent: QWidget, paths: Sequence[Path]) -> bool:
    """Ask whether files that exist may be replaced."""
    names = " and ".join(path.name for path in paths)
    pressed = QMessageBox.question(
        parent,
        "Replace files?",
        f"{names} already exist{'s' if len(paths) == 1 else ''} in {paths[0].parent}. Replace?",
        _Button.Yes | _Button.No,
        _Button.No,
    )
    return _Button(pressed) == _Button.Yes
