"""The widget in a viewer, with the tiny model chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import napari._vispy.canvas
import pytest
from npe2.manifest import schema

from napari_rdl.plugin.viewer import layer_list
from tests.plugin.kept import DOCK, Kept

WAIT_MS = 200_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let those who pass one viewer on follow each other: others need to be the only viewer."""
    here = [number for number, item in enumerate(items) if "/plugin/" in item.path.as_posix()]
    of_the_room = [items[number] for number in here]
    of_the_room.sort(key=lambda item: [name not in item.fixturenames for name in ("encoded", "opened")])
    for number, item in zip(here, of_the_room, strict=True):
        items[number] = item


@pytest.fixture(autouse=True, scope="session")
def _garbage_left_alone() -> Iterator[None]:
    """Look for no garbage with each layer that goes, as napari does; its fixture does with each viewer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(napari._vispy.canvas, "gc", SimpleNamespace(collect=lambda: 0))
        patch.setattr(layer_list, "gc", SimpleNamespace(get_freeze_count=lambda: 1))
        yield


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


@pytest.fixture(scope="session")
def _kept() -> Iterator[Kept]:
    kept = Kept()
    yield kept
    kept.drop()


@pytest.fixture
def _only_viewer(_kept: Kept) -> None:
    _kept.drop()


@pytest.fixture
def make_napari_viewer(_only_viewer, make_napari_viewer):
    """Make viewers as napari's fixture does, when no other is left."""
    return make_napari_viewer


def _docked(viewer, checkpoint: Path):
    from napari_rdl.plugin.segment.widget import SegmentWidget

    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name=DOCK)
    _choose(widget, checkpoint)
    widget.viewer = viewer
    return widget


def _choose(widget, checkpoint: Path) -> None:
    from napari_rdl.plugin.segment.session import RunChoice

    widget.run_box.set_choice(RunChoice(model=checkpoint, device="cpu", precision="float32"))


def _open(widget, folder: Path, finish) -> None:
    widget.open_patient(folder)
    finish(widget)
    assert widget.session.case is not None, widget.messages.messages


def _run(widget, finish) -> None:
    widget.run()
    finish(widget)
    assert widget.session.representations is not None, widget.messages.messages


@pytest.fixture
def widget(make_napari_viewer, tiny_checkpoint: Path):
    """A docked widget that runs the tiny model on the CPU; ``widget.viewer`` is its viewer."""
    widget = _docked(make_napari_viewer(), tiny_checkpoint)
    yield widget
    widget.shut_down()


@pytest.fixture
def encoded_alone(widget, brats_folder: Path, finish):
    """The widget after a run on the small patient, in a viewer of the test's own."""
    _open(widget, brats_folder, finish)
    _run(widget, finish)
    return widget


@pytest.fixture
def _passed_on(request, _kept: Kept, tiny_checkpoint: Path, brats_folder: Path, finish):
    """Take the widget for a test, in a viewer that is passed from test to test."""
    assert "make_napari_viewer" not in request.fixturenames, "a viewer of one's own: widget, encoded_alone"

    def take(kind: str):
        def run(widget) -> None:
            _choose(widget, tiny_checkpoint)
            _open(widget, brats_folder, finish)
            if kind == "encoded":
                _run(widget, finish)

        return _kept.take(kind, lambda viewer: _docked(viewer, tiny_checkpoint), run)

    yield take
    report = getattr(request.node, "rep_call", None)
    if report is not None and report.passed:
        _kept.give_back(finish)
    else:
        _kept.drop()


@pytest.fixture
def opened(_passed_on):
    """The widget with the small patient open."""
    return _passed_on("opened")


@pytest.fixture
def encoded(_passed_on):
    """The widget after a run on the small patient."""
    return _passed_on("encoded")


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
