"""What every dock widget shares: the sentence of what goes wrong, and the end, asked for before it comes."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QLabel

from napari_rdl.errors import CaseError, Remedy
from napari_rdl.plugin.parts.dock import DockWidget


class Dock(DockWidget):
    """Answers what it is told to, and counts what is done to it."""

    def __init__(self, viewer, answer: bool = True) -> None:
        super().__init__(viewer)
        self.answer = answer
        self.asked = 0
        self.told: list[str] = []
        label = QLabel("what is in it, a long line of it")
        label.setObjectName("content")
        self.fill(self.page([label]))

    def may_close(self) -> bool:
        self.asked += 1
        return self.answer

    def window_closed(self) -> None:
        self.told.append("window closed")

    def stop(self) -> None:
        self.told.append("stop")


@pytest.fixture
def docks(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    docks = [Dock(viewer), Dock(viewer, answer=False)]
    for number, dock in enumerate(docks):
        viewer.window.add_dock_widget(dock, name=f"dock {number}")
    qtbot.waitExposed(docks[0].window())
    return viewer, docks


def test_nothing_is_done_before_everybody_was_asked(docks):
    viewer, (first, second) = docks
    window = first.window()
    window.close()
    assert window.isVisible()
    assert second.asked == 1
    assert (first.told, second.told) == ([], [])
    viewer.close()


def test_nothing_is_done_where_napari_keeps_the_window_open(docks, monkeypatch):
    viewer, (first, second) = docks
    second.answer = True
    window = first.window()
    with monkeypatch.context() as patch:
        patch.setattr(type(window), "closeEvent", lambda self, event: event.ignore())
        window.close()
    assert window.isVisible()
    assert (first.told, second.told) == ([], [])
    viewer.close()


def test_a_window_that_closes_tells_all_once(docks):
    viewer, (first, second) = docks
    second.answer = True
    first.window().close()
    assert first.told == second.told == ["window closed", "stop"]
    assert (first.asked, second.asked) == (1, 1)
    viewer.close()


def test_a_viewer_that_is_closed_from_code_asks_nobody(docks):
    viewer, (first, second) = docks
    viewer.close()
    assert first.told == second.told == ["window closed", "stop"]
    assert (first.asked, second.asked) == (0, 0)


def test_larger_letters_get_the_width_that_they_need(docks, qtbot):
    viewer, (first, _) = docks
    page = first._pages[0]
    before = page.widget().minimumSizeHint().width()
    font = first.font()
    font.setPointSize(40)
    first.setFont(font)
    first.findChild(QLabel, "content").setFont(font)
    qtbot.waitUntil(lambda: page.widget().minimumSizeHint().width() > 2 * before)
    qtbot.waitUntil(lambda: page.viewport().width() >= page.widget().minimumSizeHint().width())
    viewer.close()


def test_what_goes_wrong_is_said_with_the_plugin_s_remedy(make_napari_viewer, qtbot):
    dock = Dock(make_napari_viewer())
    with qtbot.waitSignal(dock.problem) as heard:
        dock.say_error(CaseError("The grids differ", Remedy.RESAMPLE))
    assert heard.args == ["The grids differ: press 'Resample to one grid' in Segment tumour."]
    assert dock.messages.messages == (("error", heard.args[0]),)
    dock.shut_down()


def test_what_the_system_refuses_is_said_as_such(make_napari_viewer):
    dock = Dock(make_napari_viewer())
    dock.say_error(PermissionError(13, "Permission denied", "/mnt/share"))
    assert dock.messages.messages == (("error", "/mnt/share cannot be used: Permission denied."),)
    dock.shut_down()
