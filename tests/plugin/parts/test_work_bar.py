"""The progress bar that leaves the processor to the work."""

from __future__ import annotations

import pytest
from qtpy.QtGui import QImage

from napari_rdl.plugin.parts.work_bar import WorkBar


class Counting(WorkBar):
    """Counts how often it is painted."""

    painted = 0

    def paintEvent(self, event) -> None:  # noqa: N802
        self.painted += 1
        super().paintEvent(event)


@pytest.fixture(
    params=["", "QProgressBar::chunk { width: 1px; background-color: red; }"], ids=["plain", "sheet"]
)
def bar(shown, request):
    bar = shown(Counting())
    bar.setStyleSheet(request.param)
    bar.resize(200, 20)
    bar.setTextVisible(False)
    return bar


def picture(bar) -> QImage:
    return bar.grab().toImage()


def test_a_piece_steps_on_where_nobody_knows_how_far_the_work_is(bar):
    bar.setRange(0, 0)
    places = []
    for _ in range(5):
        places.append(picture(bar))
        bar.step_on()
    assert all(places[0] != other for other in places[1:4])
    assert places[4] == places[0]
    bar.setRange(0, 10)
    bar.setValue(3)
    known = picture(bar)
    bar.step_on()
    assert picture(bar) == known


def test_it_is_not_painted_again_and_again(bar, qtbot):
    bar.setRange(0, 0)
    bar.show()
    qtbot.waitExposed(bar)
    qtbot.wait(30)
    bar.painted = 0
    qtbot.wait(250)
    assert bar.painted <= 1, "Qt's own is painted thirty times a second"
