"""The widget in a viewer, with the tiny model chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from npe2.manifest import schema

WAIT_MS = 200_000


@pytest.fixture(autouse=True, scope="session")
def _manifests_read_once() -> Iterator[None]:
    """Read each plugin's manifest once: napari looks for all of them with every viewer of a test."""
    read = schema._from_dist
    known: dict[str, object] = {}

    def read_once(dist):
        key = str(dist._path)
        if key not in known:
            known[key] = read(dist)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "_from_dist", read_once)
        yield


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
