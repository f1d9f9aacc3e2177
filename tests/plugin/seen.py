"""What a test sees in a viewer: layers by their role, and the questions that are asked."""

from __future__ import annotations

import numpy as np
from qtpy.QtWidgets import QMessageBox

from napari_rdl.plugin.viewer.roles import LAYER_KEY


def layer_state(viewer) -> list[tuple[str, int, bytes]]:
    """What a failure must leave as it was: which layers there are, and their data."""
    return [(layer.name, id(layer), np.asarray(layer.data).tobytes()) for layer in viewer.layers]


def of_role(viewer, role: str) -> list:
    return [layer for layer in viewer.layers if layer.metadata.get(LAYER_KEY, {}).get("role") == role]


def forbid_questions(monkeypatch) -> None:
    def ask(*arguments, **settings):
        raise AssertionError(f"asked: {arguments[1:3]}")

    monkeypatch.setattr(QMessageBox, "warning", ask)
    monkeypatch.setattr(QMessageBox, "question", ask)


def answer(monkeypatch, button: QMessageBox.StandardButton) -> list[str]:
    """Answer every question with `button`; returns the list that the questions are added to."""
    asked: list[str] = []

    def ask(parent, title, text, *buttons):
        asked.append(text)
        return button

    monkeypatch.setattr(QMessageBox, "warning", ask)
    monkeypatch.setattr(QMessageBox, "question", ask)
    return asked
