"""The widget in a viewer, with the tiny model chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

WAIT_MS = 200_000


@pytest.fixture
def shown(qtbot):
    """Hand a widget to pytest-qt, which closes it at the end."""

    def show(widget):
        qtbot.addWidget(widget)
        return widget

    return show


@pytest.fixture
def finish(qtbot) -> Callable[[object], None]:
    """Wait until a widget's work, and the volume that follows a flip, has ended."""

    def wait(widget) -> None:
        qtbot.waitUntil(lambda: not widget.tasks.busy and not widget.updater.pending, timeout=WAIT_MS)

    return wait


@pytest.fixture
def widget(make_napari_viewer, tiny_checkpoint: Path):
    """A docked widget that runs the tiny model on the CPU; ``widget.viewer`` is its viewer."""
    from napari_rdl.plugin.segment.session import RunChoice
    from napari_rdl.plugin.segment.widget import SegmentWidget

    viewer = make_napari_viewer()
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segment tumour")
    widget.run_box.set_choice(RunChoice(model=tiny_checkpoint, device="cpu", precision="float32"))
    widget.viewer = viewer
    yield widget
    widget.shut_down()


@pytest.fixture
def opened(widget, brats_folder: Path, finish):
    """The widget with the small patient open."""
    widget.open_patient(brats_folder)
    finish(widget)
    assert widget.session.case is not None, widget.messages.messages
    return widget


@pytest.fixture
def encoded(opened, finish):
    """The widget after a run on the small patient."""
    opened.run()
    finish(opened)
    assert opened.session.representations is not None, opened.messages.messages
    return opened


@pytest.fixture
def studied_in(qtbot) -> Callable[[object], None]:
    """Wait until Compare subsets has made its study and measured its distances."""

    def wait(compare) -> None:
        runner = compare.comparison.runner
        qtbot.waitUntil(lambda: not runner.busy and not runner.measuring, timeout=WAIT_MS)

    return wait


@pytest.fixture
def compare_beside() -> Callable[[object], object]:
    """Dock Compare subsets beside a Segment tumour widget; it is shut down at the end."""
    from napari_rdl.plugin.compare.widget import CompareWidget

    opened = []

    def open_beside(segment) -> CompareWidget:
        compare = CompareWidget(segment.viewer)
        segment.viewer.window.add_dock_widget(compare, name="Compare subsets")
        opened.append(compare)
        return compare

    yield open_beside
    for compare in opened:
        compare.shut_down()


@pytest.fixture
def compare(encoded, compare_beside):
    """Compare subsets beside a widget that has run on the small patient."""
    return compare_beside(encoded)


@pytest.fixture
def studied(compare, studied_in):
    """The study of the small patient, all of it measured."""
    studied_in(compare)
    assert compare.comparison.studied is not None, compare.messages.messages
    return compare.comparison.studied
