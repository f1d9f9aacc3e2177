"""Take the pictures of the page that walks an annotator from a worklist to a better model.

    xvfb-run -s "-screen 0 1600x1100x24" python docs/take_annotator_screenshots.py

Synthetic patients are made, put into a worklist, scribbled on, read twice and learnt from, by the plugin
itself. The training is short: its figures are no claim.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated, Any

import napari
import numpy as np
import typer
from qtpy.QtWidgets import QApplication

from napari_rdl.case import save_correction
from napari_rdl.cli import main as shell
from napari_rdl.plugin.correct.widget import CorrectWidget
from napari_rdl.plugin.segment.demo import open_demo

IMAGES = Path(__file__).parent / "images"
NARROW = 300


def main(
    out: Annotated[Path, typer.Option(help="Folder of the pictures.")] = IMAGES,
    steps: Annotated[int, typer.Option(help="Steps of the training; 0 takes no picture of it.")] = 20,
) -> None:
    """Write annotator-*.png."""
    folder = Path(tempfile.mkdtemp())
    shell(["phantom", "--count", "4", "--seed", "11", "--spacing", "2", "--out", str(folder / "patients")])
    viewer = napari.Viewer(title="napari-rdl", show=False)
    window = viewer.window._qt_window
    window.resize(1500, 1050)
    window.show()
    first = sorted(path for path in (folder / "patients").iterdir() if path.is_dir())[0]
    segment = open_demo(viewer, first, device="cpu")
    dock, correct = viewer.window.add_plugin_dock_widget("napari-rdl", "Correct labels", tabify=True)
    dock.raise_()
    wait(lambda: segment.session.representations is not None and not segment.tasks.busy)
    correct.working.make_list([folder / "patients"], folder / "list.json")
    wait(lambda: rested(segment, correct))
    correct.working.change(note="small: is that all?")
    picture(viewer, out / "annotator-worklist.png")

    segment.set_subset(["T1"])
    wait(lambda: rested(segment, correct))
    truth = mend(viewer, segment, correct)
    show_part(correct, correct.refining.box)
    picture(viewer, out / "annotator-scribble.png")

    correct.working.finish()
    case = segment.session.case
    save_correction(truth, case, folder / "anna_seg.nii.gz")
    correct.readers.add_file(folder / "anna_seg.nii.gz", 1)
    wait(lambda: rested(segment, correct))
    correct.readers.box.difference_box.setChecked(True)
    correct.readers.go_to_next()
    show_part(correct, correct.readers.box)
    picture(viewer, out / "annotator-readers.png")

    correct.readers.box.difference_box.setChecked(False)
    segment.set_subset(segment.session.representations.modalities)
    for _ in range(2):
        correct.working.step(1)
        wait(lambda: rested(segment, correct))
        mend(viewer, segment, correct)
        correct.working.finish()
    if steps:
        changes = {"optimizer.max_steps": steps, "data.workers": 0, "data.makers": 1}
        correct.learning.learn(changes)
        wait(lambda: not correct.learning.running, limit=3600)
    show_part(correct, correct.learning.box)
    picture(viewer, out / "annotator-learnt.png")
    resize_dock(viewer, dock, NARROW)
    show_part(correct, correct.working.box)
    for name, part in (("top", correct.working.box), ("end", correct.learning.box)):
        show_part(correct, part)
        rest()
        dock.grab().save(str(folder / f"narrow-{name}.png"))
    typer.echo(folder)
    segment.shut_down()
    correct.shut_down()
    viewer.close()


def mend(viewer: napari.Viewer, segment: Any, correct: CorrectWidget) -> Any:
    """Scribble tumour where the prediction misses it; returns the truth."""
    correct.begin()
    truth = segment.session.case.truth()
    wrong = np.argwhere((truth > 0) & (correct.desk.layer.data == 0))
    middle = wrong[len(wrong) // 2] if len(wrong) else np.argwhere(truth > 0)[0]
    viewer.dims.set_point(range(3), correct.desk.layer.data_to_world(middle))
    correct.refining.scribble(3)
    wait(lambda: rested(segment, correct))
    for number in range(-3, 4):
        correct.refining.layer.paint((middle[0] + number, middle[1], middle[2]), 3)
    wait(lambda: rested(segment, correct))
    return truth


def rested(segment: Any, correct: CorrectWidget) -> bool:
    """Return whether nothing goes on."""
    working = (
        segment.tasks.busy,
        segment.updater.pending,
        correct.desk.busy,
        correct.refining.busy,
        correct.readers.worker.busy,
        correct.working.worker.busy,
    )
    return not any(working)


def show_part(correct: CorrectWidget, part: Any) -> None:
    """Scroll to a part of the dock."""
    rest()
    for page in correct._pages:
        page.verticalScrollBar().setValue(part.mapTo(page.widget(), part.rect().topLeft()).y())


def resize_dock(viewer: napari.Viewer, dock: Any, width: int) -> None:
    """Make the dock as narrow as that."""
    from qtpy.QtCore import Qt

    viewer.window._qt_window.resizeDocks([dock], [width], Qt.Orientation.Horizontal)
    rest()


def rest() -> None:
    """Let the window draw."""
    for _ in range(10):
        QApplication.processEvents()
        sleep(0.02)


def wait(done: Any, limit: float = 1200) -> None:
    """Let the window work until all is done."""
    started, quiet = monotonic(), 0
    while quiet < 10:
        QApplication.processEvents()
        sleep(0.05)
        quiet = quiet + 1 if done() else 0
        if monotonic() - started > limit:
            raise SystemExit(f"Not done after {limit} s.")


def picture(viewer: napari.Viewer, path: Path) -> None:
    """Save the whole window."""
    rest()
    path.parent.mkdir(parents=True, exist_ok=True)
    viewer.screenshot(str(path), canvas_only=False, flash=False)


if __name__ == "__main__":
    typer.run(main)
