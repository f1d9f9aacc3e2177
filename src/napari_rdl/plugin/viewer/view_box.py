"""The part of the widget that says how the patient is shown."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtGui import QColor, QPixmap
from qtpy.QtWidgets import QButtonGroup, QCheckBox, QGridLayout, QHBoxLayout, QLabel, QPushButton, QWidget

from napari_rdl import brats
from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel
from napari_rdl.plugin.viewer.views import PLANES

SWATCH = 12


class ViewBox(Section):
    """Planes, the grid of modalities, labels or outlines, and what the colours mean.

    Signals
    -------
    plane_chosen : str
    grid_switched, outlines_switched : bool
    """

    plane_chosen = Signal(str)
    grid_switched = Signal(bool)
    outlines_switched = Signal(bool)

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
