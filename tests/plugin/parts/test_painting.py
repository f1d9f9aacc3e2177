"""A widget that is painted once, when its parts have found their places."""

from __future__ import annotations

from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_rdl.plugin.parts.painting import HeldPainting


class Counting(QLabel):
    """Counts how often it is painted."""

    painted = 0

    def paintEvent(self, event) -> None:  # noqa: N802
        self.painted += 1
        super().paintEvent(event)


def test_what_changes_in_several_turns_is_painted_once(shown, qtbot):
    widget = shown(QWidget())
    column, label = QVBoxLayout(widget), Counting("as it was")
    column.addWidget(label)
    widget.show()
    qtbot.waitUntil(lambda: label.painted > 0)
    qtbot.wait(50)
    before = label.painted
    painting = HeldPainting(widget)
    painting.hold()
    for number in range(3):
        label.setText(f"turn {number}")
        column.addWidget(QLabel("another"))
        qtbot.wait(10)
    assert label.painted == before
    qtbot.waitUntil(lambda: label.painted > before)
    qtbot.wait(50)
    assert label.painted == before + 1
    assert widget.updatesEnabled()


def test_it_may_be_let_go_at_once(shown):
    widget = shown(QWidget())
    painting = HeldPainting(widget)
    painting.hold()
    assert not widget.updatesEnabled()
    painting.let_go()
    assert widget.updatesEnabled()
