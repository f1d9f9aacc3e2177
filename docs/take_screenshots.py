"""Take the pictures of the running plugin.

    xvfb-run -s "-screen 0 1600x1000x24" python docs/take_screenshots.py

The sample patient is opened and segmented by the plugin itself and seen from all sides, then a modality is
switched off, then all subsets are compared, then the prediction is corrected.
"""

from __future__ import annotations

from pathlib import Path
from time import monotonic, sleep
from typing import Annotated

import napari
import typer
from qtpy.QtWidgets import QApplication

from napari_rdl.phantom import sample_patient_folder
from napari_rdl.plugin.segment.demo import open_demo
from napari_rdl.plugin.segment.widget import SegmentWidget

IMAGES = Path(__file__).parent / "images"


def main(
    without: Annotated[str, typer.Option(help="The modality that is switched off.")] = "FLAIR",
    patient: Annotated[
        Path | None, typer.Option(help="A patient's folder; the sample patient by default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the pictures.")] = IMAGES,
    model: Annotated[Path | None, typer.Option(help="A checkpoint; the shipped weights by default.")] = None,
) -> None:
    """Write the pictures of Segment tumour, Correct labels and Compare subsets."""
    viewer = napari.Viewer(title="napari-rdl", show=False)
    viewer.window._qt_window.resize(1500, 940)
    viewer.window._qt_window.show()
    widget = open_demo(viewer, patient or sample_patient_folder(), model=model, device="cpu")
    wait(widget, lambda: widget.session.representations is not None)
    # Opened again it comes from memory: how long this machine took is not what the picture is about.
    widget.open_patient(patient or sample_patient_folder())
    wait(widget, lambda: widget.session.representations is not None)
    picture(viewer, widget, out / "segment-tumour-full.png")
    spatial_pictures(viewer, widget, out)
    representations = widget.session.representations
    assert representations is not None
    widget.set_subset([name for name in representations.modalities if name != without])
    picture(viewer, widget, out / "segment-tumour.png")
    compare_pictures(viewer, widget, out)
    correct_picture(viewer, widget, out)
    widget.shut_down()
    viewer.close()


def spatial_pictures(viewer: napari.Viewer, widget: SegmentWidget, out: Path) -> None:
    """Write three-planes.png and tumour-3d.png."""
    box, spatial = widget.viewing.box, widget.viewing.spatial
    box.three_box.setChecked(True)
    picture(viewer, widget, out / "three-planes.png")
    box.three_box.setChecked(False)
    box.surfaces_box.setChecked(True)
    wait(widget, lambda: not spatial.worker.busy and bool(spatial.surfaces.layers))
    picture(viewer, widget, out / "tumour-3d.png")
    box.surfaces_box.setChecked(False)


def compare_pictures(viewer: napari.Viewer, widget: SegmentWidget, out: Path) -> None:
    """Write compare-matrix.png, and compare-pinned.png in the light theme."""
    dock, compare = viewer.window.add_plugin_dock_widget("napari-rdl", "Compare subsets", tabify=True)
    dock.raise_()
    runner = compare.comparison.runner

    def rested() -> bool:
        busy = runner.busy or runner.measuring or compare.pair.worker.busy
        return not busy and compare.comparison.studied is not None

    wait(widget, rested)
    picture(viewer, widget, out / "compare-matrix.png")
    compare.pair.box.pin("A", ("T2", "FLAIR"))
    compare.pair.box.pin("B", compare.comparison.studied.study.modalities)
    compare.pair.box.beside_box.setChecked(True)
    viewer.theme = "light"
    wait(widget, rested)
    picture(viewer, widget, out / "compare-pinned.png")
    compare.shut_down()


def correct_picture(viewer: napari.Viewer, widget: SegmentWidget, out: Path) -> None:
    """Write correct-labels.png: a few strokes and a tool, and what they changed."""
    dock, correct = viewer.window.add_plugin_dock_widget("napari-rdl", "Correct labels", tabify=True)
    dock.raise_()
    wait(widget, lambda: not correct.desk.busy)
    if correct.desk.found is not None:
        correct.desk.discard()
    widget.set_subset(widget.session.representations.modalities)
    wait(widget)
    correct.begin()
    layer = correct.desk.layer
    layer.selected_label = 3
    layer.brush_size = 8
    place = [int(step) for step in layer.world_to_data(viewer.dims.point)]
    for number in range(6):
        layer.paint((place[0] + 18 + 2 * number, place[1] + 22, place[2]), 3)
        QApplication.processEvents()
    correct.protect_box.keep[2].setChecked(True)
    correct.protect.expand(animate=False)
    picture(viewer, widget, out / "correct-labels.png")
    correct.shut_down()
    viewer.window.remove_dock_widget(dock)
    widget.saving.corrected.let_go()
    widget.session.set_subset(widget.session.representations.modalities)


def wait(widget: SegmentWidget, done=lambda: True, limit: float = 600) -> None:
    """Let the window work until all is done."""
    started, quiet = monotonic(), 0
    while quiet < 20:
        QApplication.processEvents()
        sleep(0.05)
        working = widget.tasks.busy or widget.updater.pending or not done()
        quiet = 0 if working else quiet + 1
        if monotonic() - started > limit:
            raise SystemExit(f"Not done after {limit} s: {widget.messages.messages}")


def picture(viewer: napari.Viewer, widget: SegmentWidget, path: Path) -> None:
    """Save the whole window once it has come to rest."""
    wait(widget)
    path.parent.mkdir(parents=True, exist_ok=True)
    viewer.screenshot(str(path), canvas_only=False, flash=False)


if __name__ == "__main__":
    typer.run(main)
