"""The desk beside a patient."""

from __future__ import annotations

import pytest

from napari_rdl.plugin.correct.widget import CorrectWidget

WAIT_MS = 60_000


@pytest.fixture
def desk_beside(qtbot):
    """Dock Correct labels beside a Segment tumour widget, once it has looked for earlier work."""
    opened = []

    def open_beside(segment) -> CorrectWidget:
        correct = CorrectWidget(segment.viewer)
        segment.viewer.window.add_dock_widget(correct, name="Correct labels")
        opened.append(correct)
        qtbot.waitUntil(lambda: not correct.desk.busy, timeout=WAIT_MS)
        return correct

    yield open_beside
    for correct in opened:
        correct.shut_down()


@pytest.fixture
def correct(encoded, desk_beside):
    """The desk with a corrected layer."""
    widget = desk_beside(encoded)
    widget.begin()
    assert widget.desk.layer is not None
    return widget
