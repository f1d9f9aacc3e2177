"""How a patient is shown: planes, the grid of modalities, labels or outlines; the box and what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QSignalBlocker, Signal
from qtpy.QtGui import QColor, QPixmap
from qtpy.QtWidgets import QButtonGroup, QCheckBox, QGridLayout, QHBoxLayout, QLabel, QPushButton, QWidget

from napari_rdl import brats
from napari_rdl.plugin.parts.section import SPACING, SWATCH, Section, WrappedLabel
from napari_rdl.plugin.segment.choices import Choices
from napari_rdl.plugin.segment.prediction_updater import PredictionUpdater
from napari_rdl.plugin.viewer.modality_grid import modality_grid_shown, show_modality_grid
from napari_rdl.plugin.viewer.patient_layers import add_case
from napari_rdl.plugin.viewer.planes import PLANES, current_plane, show_plane
from napari_rdl.plugin.viewer.telling_apart import TellingApart
from napari_rdl.plugin.viewer.tumour_view import go_to_tumour

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_rdl.plugin.segment.patient_source import Patient
    from napari_rdl.segment import Segmentation


TUMOUR_KEY = "T"
"""Goes to the tumour; of napari's layers only shapes have it, for drawing."""


class ViewBox(Section):
    """Planes, the grid of modalities, labels or outlines, and what the colours mean.

    Signals
    -------
    plane_chosen : str
    grid_switched, outlines_switched : bool
    tumour_asked : no value
    """

    plane_chosen = Signal(str)
    grid_switched = Signal(bool)
    outlines_switched = Signal(bool)
    tumour_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("View", parent)
        self.plane_buttons: dict[str, QPushButton] = {}
        self._planes = QButtonGroup(self)
        row = QHBoxLayout()
        row.setSpacing(SPACING)
        for plane in PLANES:
            button = QPushButton(plane.capitalize())
            button.setCheckable(True)
            button.setToolTip(
                f"Show {plane} slices, the patient's left on the right of the picture"
                if plane != "sagittal"
                else "Show sagittal slices, anterior on the left of the picture"
            )
            button.clicked.connect(lambda _checked, name=plane: self.plane_chosen.emit(name))
            self._planes.addButton(button)
            row.addWidget(button)
            self.plane_buttons[plane] = button
        self.tumour_button = QPushButton("Go to the tumour")
        self.tumour_button.setToolTip(
            "Show the slices that cut most of the largest piece of the tumour shown (key T)"
        )
        self.tumour_button.setEnabled(False)
        self.tumour_button.clicked.connect(self.tumour_asked)
        self.grid_box = QCheckBox("Modalities side by side")
        self.grid_box.setToolTip("Show each modality in its own cell, all at the same place")
        self.grid_box.toggled.connect(self.grid_switched)
        self.outlines_box = QCheckBox("Outlines instead of labels")
        self.outlines_box.setToolTip("Show whole tumour, tumour core and enhancing tumour as outlines")
        self.outlines_box.toggled.connect(self.outlines_switched)
        self.outlines_box.toggled.connect(self._show_legend)
        self._legend = QGridLayout()
        self._legend.setSpacing(SPACING)
        self._legend.setColumnStretch(1, 1)
        self._legend_rows = [(QLabel(), WrappedLabel()) for _ in brats.CLASS_COLOURS]
        for number, (swatch, text) in enumerate(self._legend_rows):
            self._legend.addWidget(swatch, number, 0)
            self._legend.addWidget(text, number, 1)
        self.body.addLayout(row)
        self.body.addWidget(self.tumour_button)
        self.body.addWidget(self.grid_box)
        self.body.addWidget(self.outlines_box)
        self.body.addLayout(self._legend)
        self._show_legend(False)

    def set_plane(self, plane: str | None) -> None:
        """Mark the plane that is shown."""
        self._planes.setExclusive(False)
        for name, button in self.plane_buttons.items():
            button.setChecked(name == plane)
        self._planes.setExclusive(True)

    def set_outlines(self, on: bool) -> None:
        """Tick or untick the outlines without saying so."""
        with QSignalBlocker(self.outlines_box):
            self.outlines_box.setChecked(on)
        self._show_legend(on)

    def set_grid(self, on: bool) -> None:
        """Tick or untick the grid without saying so."""
        with QSignalBlocker(self.grid_box):
            self.grid_box.setChecked(on)

    def _show_legend(self, outlines: bool) -> None:
        for (swatch, text), (colour, title) in zip(
            self._legend_rows, _outline_legend() if outlines else _label_legend(), strict=True
        ):
            pixmap = QPixmap(SWATCH, SWATCH)
            pixmap.fill(QColor(colour))
            swatch.setPixmap(pixmap)
            text.setText(f"{title[:1].upper()}{title[1:]}")


class Viewing(QObject):
    """Does in the viewer what the view box says, and keeps the box true to the viewer."""

    def __init__(self, viewer: Viewer, updater: PredictionUpdater, choices: Choices, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._updater = updater
        self._choices = choices
        self._images: list[Image] = []
        self._went = False
        self._telling_apart = TellingApart(viewer)
        self.box = ViewBox()
        self.box.set_outlines(choices.outlines)
        self.box.set_plane(choices.plane)
        updater.set_outlines(choices.outlines)
        self.box.plane_chosen.connect(self._on_plane_chosen)
        self.box.grid_switched.connect(self._on_grid_switched)
        self.box.outlines_switched.connect(self._on_outlines_switched)
        self.box.tumour_asked.connect(self.go_to_tumour)
        updater.settled.connect(self._on_settled)
        viewer.dims.events.order.connect(self._on_plane_changed)

    def show_patient(self, patient: Patient) -> None:
        """Show a patient in place of the last one; layers that this widget did not add stay."""
        self._went = False
        self.box.tumour_button.setEnabled(False)
        shown = modality_grid_shown(self._viewer)
        if shown:
            show_modality_grid(self._viewer, False)
        self._updater.remove()
        if patient.add_images:
            for layer in self._images:
                if layer in self._viewer.layers:
                    self._viewer.layers.remove(layer)
            self._images = list(add_case(self._viewer, patient.case).values())
        show_plane(self._viewer, self._choices.plane)
        # A grid that is someone else's, such as two subsets side by side, stays.
        wanted = self._choices.choices.side_by_side and not self._viewer.canvas.grid.enabled
        if shown or wanted:
            show_modality_grid(self._viewer, True)
            self.box.set_grid(modality_grid_shown(self._viewer))

    def show_result(self, segmentation: Segmentation) -> None:
        """Go to the tumour, once for each patient: later runs leave the view where the user is."""
        if not self._went:
            self._went = go_to_tumour(self._viewer, segmentation.case.grid, segmentation.labels)

    def go_to_tumour(self) -> None:
        """Go to the largest piece of the tumour that is shown."""
        segmentation = self._updater.segmentation
        if segmentation is not None:
            go_to_tumour(self._viewer, segmentation.case.grid, segmentation.labels)

    def _on_settled(self, segmentation: Segmentation) -> None:
        self.box.tumour_button.setEnabled(bool(segmentation.labels.any()))

    def shut_down(self) -> None:
        """Stop following the viewer."""
        self._telling_apart.release()
        self._viewer.dims.events.order.disconnect(self._on_plane_changed)

    def _on_plane_chosen(self, plane: str) -> None:
        self._choices.remember(plane=plane)
        show_plane(self._viewer, plane)

    def _on_plane_changed(self) -> None:
        self.box.set_plane(current_plane(self._viewer))

    def _on_grid_switched(self, on: bool) -> None:
        show_modality_grid(self._viewer, on)
        self.box.set_grid(modality_grid_shown(self._viewer))
        self._choices.remember(side_by_side=modality_grid_shown(self._viewer))

    def _on_outlines_switched(self, on: bool) -> None:
        self._choices.remember(outlines=on)
        self._updater.set_outlines(on)


def _label_legend() -> list[tuple[str, str]]:
    return [
        (colour, brats.CLASS_TITLES[brats.CLASSES[index]]) for index, colour in brats.CLASS_COLOURS.items()
    ]


def _outline_legend() -> list[tuple[str, str]]:
    """Return colour and title per region: each has the colour of the class that the next one lacks."""
    regions = list(brats.REGIONS.items())
    inner = [set(members) for _, members in regions[1:]] + [set()]
    return [
        (brats.CLASS_COLOURS[min(set(members) - inside)], f"{brats.REGION_TITLES[name]} ({name})")
        for (name, members), inside in zip(regions, inner, strict=True)
    ]
