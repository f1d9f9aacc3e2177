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


def ask_about_runs(parent: QWidget, names: Sequence[str]) -> str:
    """Ask what becomes of trainings when napari closes: "run" (the default), "stop" or "cancel"."""
    which = f"The training {names[0]} goes on" if len(names) == 1 else f"{len(names)} trainings go on"
    box = QMessageBox(
        QMessageBox.Icon.Question,
        "Training goes on",
        f"{which} without napari, and can be watched again when it is next opened. Let it run?",
        parent=parent,
    )
    run = box.addButton("Let it run", QMessageBox.ButtonRole.AcceptRole)
    stop = box.addButton("Stop with a checkpoint", QMessageBox.ButtonRole.DestructiveRole)
    box.addButton(_Button.Cancel)
    box.setDefaultButton(run)
    box.exec()
    return {run: "run", stop: "stop"}.get(box.clickedButton(), "cancel")


def ask_to_kill(parent: QWidget, name: str) -> bool:
    """Ask whether a run's process shall be ended at once."""
    pressed = QMessageBox.question(
        parent,
        "End the process?",
        f"End {name} now? What it learnt after its last checkpoint is lost. Stop keeps it.",
        _Button.Yes | _Button.No,
        _Button.No,
    )
    return _Button(pressed) == _Button.Yes


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
