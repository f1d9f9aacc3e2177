"""Viewers that the shell opens: the demonstration, and one that closes again for measuring."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import napari

from napari_rdl.plugin.segment.open_widgets import WIDGET_NAME
from napari_rdl.plugin.segment.session import RunChoice
from napari_rdl.plugin.settings import PLUGIN_NAME

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.plugin.segment.widget import SegmentWidget


def open_demo(
    viewer: Viewer, patient: Path, *, model: Path | None = None, device: str = "auto"
) -> SegmentWidget:
    """Dock **Segment tumour** in `viewer`, open a patient in it and start the run.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    patient : Path
        The patient's folder.
    model : Path, optional
        A checkpoint in place of the one chosen in the widget.
    device : str
        Where to run.
    """
    widget = dock_segment(viewer, model=model, device=device)
    widget.open_patient(patient, run=True)
    return widget


def dock_segment(viewer: Viewer, *, model: Path | None = None, device: str = "auto") -> SegmentWidget:
    """Dock **Segment tumour** in `viewer` with a checkpoint and a device chosen; see `open_demo`."""
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN_NAME, WIDGET_NAME)
    widget.run_box.set_choice(RunChoice(model=model, device=device), widget.run_box.models)
    return widget


def show_demo(patient: Path, *, model: Path | None = None, device: str = "auto") -> None:
    """Open napari on a patient, segment it, and return when the window is closed."""
    viewer = napari.Viewer(title="napari-rdl")
    open_demo(viewer, patient, model=model, device=device)
    napari.run()


@contextmanager
def closing_viewer() -> Iterator[Viewer]:
    """Open a viewer and close it at the end."""
    viewer = napari.Viewer(title="napari-rdl")
    try:
        yield viewer
    finally:
        viewer.close()
