"""Take the pictures of **Train model** while it makes the toy model of *Try it*, which takes some minutes.

xvfb-run -s "-screen 0 1600x1000x24" python docs/take_training_screenshots.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated

import napari
import typer
from qtpy.QtWidgets import QApplication, QDockWidget

from napari_rdl.plugin.train.memory import TrainMemory
from napari_rdl.plugin.train.widget import TrainWidget
from napari_rdl.training.run.reader import State

IMAGES = Path(__file__).parent / "images"
WIDTH, HEIGHT = 330, 855


def main(out: Annotated[Path, typer.Option(help="Folder of the pictures.")] = IMAGES) -> None:
    """Write train-setup.png, train-running.png and train-finished.png."""
    with tempfile.TemporaryDirectory() as folder:
        memory = TrainMemory(Path(folder) / "train_model.json")
        memory.remember(runs_folder=Path(folder) / "runs", source_kind="synthetic")
        viewer = napari.Viewer(title="napari-rdl", show=False)
        viewer.window._qt_window.resize(1200, HEIGHT + 120)
        viewer.window._qt_window.show()
        widget = TrainWidget(viewer, memory=memory)
        dock = viewer.window.add_dock_widget(widget, name="Train model (napari-rdl)")
        dock.setFloating(True)
        dock.resize(WIDTH, HEIGHT)
        # A reader's own folder, not the temporary one of this program.
        widget.setup.place.runs_edit.setText("~/napari-rdl-runs")
        wait(lambda: True)
        picture(dock, out / "train-setup.png")
        widget.try_it()
        wait(lambda: (glance := widget.glance()) is not None and glance.step >= 0.75 * (glance.steps or 1e9))
        picture(dock, out / "train-running.png")
        wait(lambda: (glance := widget.glance()) is not None and glance.state is State.FINISHED)
        picture(dock, out / "train-finished.png")
        widget.shut_down()
        viewer.close()


def wait(done: Callable[[], bool], limit: float = 1800) -> None:
    """Let the window work until `done`, and for a second more."""
    started, since = monotonic(), None
    while since is None or monotonic() - since < 1:
        QApplication.processEvents()
        sleep(0.02)
        since = since or (monotonic() if done() else None)
        if monotonic() - started > limit:
            raise SystemExit(f"Not done after {limit} s.")


def picture(dock: QDockWidget, path: Path) -> None:
    """Save the dock as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dock.grab().save(str(path))


if __name__ == "__main__":
    typer.run(main)
