"""A widget that is painted once, when its parts have found their places."""

from __future__ import annotations

from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_rdl.plugin.parts import painting
from napari_rdl.plugin.parts.painting import HeldPainting


class Counting(QLabel):
    """Counts how often it is painted."""

    painted = 0

    def paintEvent(self, event) -> None:  # noqa: N802
        self.painted += 1
        super().paintEvent(event)


def test_what_changes_in_several_turns_is_painted_once(shown, qtbot, monkeypatch):
    monkeypatch.setattr(painting, "_HELD_MS", 60_000)
    widget = shown(QWidget())
    column, label = QVBoxLayout(widget), Counting("as it was")
    column.addWidget(label)
    widget.show()
    qtbot.waitUntil(lambda: label.painted > 0)
    qtbot.wait(50)
    before = label.painted
    held = HeldPainting(widget)
    held.hold()
    for number in range(3):
        label.setText(f"turn {number}")
        column.addWidget(QLabel("another"))
        qtbot.wait(10)
    assert label.painted == before
    held.let_go()
    qtbot.waitUntil(lambda: label.painted > before)
    qtbot.wait(50)
    assert label.painted == before + 1


def test_the_moment_ends_by_itself(shown, qtbot):
    widget = shown(QWidget())
    HeldPainting(widget).hold()
    assert not widget.updatesEnabled()
    qtbot.waitUntil(widget.updatesEnabled)
