"""What waits for the canvas's next picture, in a window without napari."""

from __future__ import annotations

import pytest
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QLabel, QMainWindow, QVBoxLayout, QWidget

from napari_rdl.plugin.viewer.next_picture import NextPicture


class Canvas(QOpenGLWidget):
    """An empty canvas that notes when it is drawn."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__()
        self._seen = seen

    def paintGL(self) -> None:  # noqa: N802
        self._seen.append("drawn")


@pytest.fixture
def window(qtbot):
    window, middle = QMainWindow(), QWidget()
    window.seen = []
    window.canvas = Canvas(window.seen)
    QVBoxLayout(middle).addWidget(window.canvas)
    window.setCentralWidget(middle)
    window.picture = NextPicture(lambda: window.seen.append("done"), window.canvas, window)
    qtbot.addWidget(window)
    return window


def test_it_comes_after_the_picture_once_and_not_when_nobody_waits(window, qtbot):
    window.show()
    qtbot.waitUntil(lambda: "drawn" in window.seen)
    window.seen.clear()
    window.canvas.update()
    window.picture.wait()
    qtbot.waitUntil(lambda: "done" in window.seen)
    assert window.seen == ["drawn", "done"]
    window.canvas.update()
    window.picture.wait()
    window.picture.stop()
    qtbot.waitUntil(lambda: window.seen[2:] == ["drawn"])
    qtbot.wait(20)
    assert window.seen[2:] == ["drawn"]


def test_where_no_canvas_is_seen_it_comes_at_once(window, qtbot):
    window.picture.wait()
    qtbot.waitUntil(lambda: window.seen == ["done"], timeout=500)
    alone = QLabel()
    qtbot.addWidget(alone)
    NextPicture(lambda: window.seen.append("alone"), alone, alone).wait()
    qtbot.waitUntil(lambda: window.seen == ["done", "alone"], timeout=500)
