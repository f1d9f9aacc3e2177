"""The box in which is chosen how a patient is shown: planes, cells, labels or outlines, colours."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QColorDialog,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QWidget,
)

from napari_rdl import brats
from napari_rdl.plugin.parts.inputs import small_button
from napari_rdl.plugin.parts.section import SPACING, SWATCH, Section, WrappedLabel
from napari_rdl.plugin.viewer.class_colours import class_colours
from napari_rdl.plugin.viewer.planes import PLANES

TUMOUR_KEY = "T"
"""Goes to the tumour; of napari's layers only shapes have it, for drawing."""


class ViewBox(Section):
    """Planes, the grid of modalities, labels or outlines, and what the colours mean.

    Signals
    -------
    plane_chosen : str
    grid_switched, outlines_switched : bool
    tumour_asked : no value
    expert_switched, three_switched, surfaces_switched : bool
    """

    plane_chosen = Signal(str)
    grid_switched = Signal(bool)
    outlines_switched = Signal(bool)
    tumour_asked = Signal()
    expert_switched = Signal(bool)
    three_switched = Signal(bool)
    surfaces_switched = Signal(bool)

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
        self.three_box = QCheckBox("Three planes")
        self.three_box.setToolTip(
            "Show the other two planes below; a click in one moves all three, painting is seen in all"
        )
        self.three_box.toggled.connect(self.three_switched)
        self.surfaces_box = QCheckBox("Tumour in 3D")
        self.surfaces_box.setToolTip("Show the tumour's regions as surfaces that turn with the mouse")
        self.surfaces_box.setEnabled(False)
        self.surfaces_box.toggled.connect(self.surfaces_switched)
        self.outlines_box = QCheckBox("Outlines instead of labels")
        self.outlines_box.setToolTip("Show whole tumour, tumour core and enhancing tumour as outlines")
        self.outlines_box.toggled.connect(self.outlines_switched)
        self.outlines_box.toggled.connect(self._show_legend)
        self.expert_box = QCheckBox("Expert's mask")
        self.expert_box.setToolTip("Show the mask that came with the patient, as a layer of its own")
        self.expert_box.setEnabled(False)
        self.expert_box.toggled.connect(self.expert_switched)
        self._legend = QGridLayout()
        self._legend.setSpacing(SPACING)
        self._legend.setColumnStretch(1, 1)
        self._legend_rows = [(Swatch(), WrappedLabel()) for _ in class_colours]
        self.own_colours_button = small_button(
            "Tested colours", "Go back to the colours that everybody can tell apart"
        )
        self.own_colours_button.clicked.connect(class_colours.reset)
        for number, (swatch, text) in enumerate(self._legend_rows):
            swatch.clicked.connect(lambda _checked=False, number=number: self._choose_colour(number))
            self._legend.addWidget(swatch, number, 0)
            self._legend.addWidget(text, number, 1)
        self.body.addLayout(row)
        self.body.addWidget(self.tumour_button)
        self.body.addWidget(self.grid_box)
        self.body.addWidget(self.three_box)
        self.body.addWidget(self.surfaces_box)
        self.body.addWidget(self.outlines_box)
        self.body.addWidget(self.expert_box)
        self.body.addLayout(self._legend)
        self.body.addWidget(self.own_colours_button)
        self.show_colours()

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

    def set_switch(self, box: QCheckBox, on: bool) -> None:
        """Tick or untick a box without saying so."""
        with QSignalBlocker(box):
            box.setChecked(on)

    def set_expert(self, on: bool) -> None:
        """Tick or untick the expert's mask without saying so."""
        with QSignalBlocker(self.expert_box):
            self.expert_box.setChecked(on)

    def set_grid(self, on: bool) -> None:
        """Tick or untick the grid without saying so."""
        with QSignalBlocker(self.grid_box):
            self.grid_box.setChecked(on)

    def show_colours(self) -> None:
        """Show the colours of now."""
        self._show_legend(self.outlines_box.isChecked())
        self.own_colours_button.setVisible(class_colours.own)

    def _show_legend(self, outlines: bool) -> None:
        for (swatch, text), (index, title) in zip(self._legend_rows, _legend(outlines), strict=True):
            swatch.show_colour(class_colours[index], title)
            text.setText(f"{title[:1].upper()}{title[1:]}")

    def _choose_colour(self, number: int) -> None:
        index, title = _legend(self.outlines_box.isChecked())[number]
        chosen = QColorDialog.getColor(QColor(class_colours[index]), self, f"Colour of {title}")
        if chosen.isValid():
            class_colours.choose(index, chosen.name())


class Swatch(QPushButton):
    """A square in a colour; a click is to choose another."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(SWATCH + 4, SWATCH + 4)

    def show_colour(self, colour: str, title: str) -> None:
        """Take another colour and what it stands for."""
        self.setStyleSheet(f"QPushButton {{ background: {colour}; border-radius: 2px; padding: 0; }}")
        self.setToolTip(f"Choose another colour for {title}")
        self.setAccessibleName(f"Colour of {title}")


def _legend(outlines: bool) -> list[tuple[int, str]]:
    """Return whose colour is shown, as a class index, and what it stands for."""
    if not outlines:
        return [(index, brats.CLASS_TITLES[brats.CLASSES[index]]) for index in class_colours]
    # Each region has the colour of the class that the next one lacks.
    regions = list(brats.REGIONS.items())
    inner = [set(members) for _, members in regions[1:]] + [set()]
    return [
        (min(set(members) - inside), f"{brats.REGION_TITLES[name]} ({name})")
        for (name, members), inside in zip(regions, inner, strict=True)
    ]
