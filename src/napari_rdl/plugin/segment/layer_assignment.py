"""Layers that are already open, assigned to modalities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox
from napari.layers import Image
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_rdl import brats
from napari_rdl.plugin.parts.inputs import make_narrow
from napari_rdl.plugin.parts.section import SPACING
from napari_rdl.plugin.viewer.patient_layers import find_images, guess_modality
from napari_rdl.plugin.viewer.roles import role_of

if TYPE_CHECKING:
    from napari.viewer import Viewer

NOT_THERE = "– none –"


class LayerAssignment(QWidget):
    """One combo box of image layers per modality, filled with guesses from the layers' names.

    Signals
    -------
    chosen : dict of str to Image
        The user wants these layers to be the patient: modality -> layer.
    """

    chosen = Signal(dict)

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layers: list[Image] = []
        self._touched: set[str] = set()
        self._boxes = {name: _layer_box(name) for name in brats.MODALITIES}
        for name, box in self._boxes.items():
            # A choice of the user's outlives later guesses.
            box.changed.connect(lambda _value, name=name: self._touched.add(name))
        form = QGridLayout()
        form.setSpacing(SPACING)
        form.setColumnStretch(1, 1)
        for row, (name, box) in enumerate(self._boxes.items()):
            label = QLabel(name)
            label.setBuddy(box.native)
            form.addWidget(label, row, 0, Qt.AlignmentFlag.AlignLeft)
            form.addWidget(box.native, row, 1)
        self._use = QPushButton("Use these layers")
        self._use.setToolTip(
            "Segment the layers chosen above. Layers without a file are taken on their own grid, with axes "
            "read as x, y, z: right, anterior, superior."
        )
        self._use.clicked.connect(self._choose)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        column.addLayout(form)
        column.addWidget(self._use)
        viewer.layers.events.inserted.connect(self.refresh)
        viewer.layers.events.removed.connect(self.refresh)
        self.refresh()

    def refresh(self, event: object = None) -> None:
        """List the viewer's image layers again; choices that still stand are kept."""
        del event
        chosen = self.assigned()
        self._layers = [layer for layer in find_images(self._viewer) if _may_be_chosen(layer)]
        self._touched = {name for name in self._touched if chosen.get(name) in self._layers}
        taken = {id(chosen[name]) for name in self._touched}
        for modality, box in self._boxes.items():
            layer = chosen.get(modality) if modality in self._touched else None
            if layer is None:
                layer = next(
                    (
                        candidate
                        for candidate in reversed(self._layers)
                        if guess_modality(candidate) == modality and id(candidate) not in taken
                    ),
                    None,
                )
            with box.changed.blocked():
                box.choices = [(candidate.name, candidate) for candidate in self._layers]
                box.value = layer
        self._use.setEnabled(bool(self._layers))

    def assigned(self) -> dict[str, Image]:
        """Return what stands in the boxes: modality -> layer."""
        return {modality: box.value for modality, box in self._boxes.items() if box.value is not None}

    def assign(self, modality: str, layer: Image | None) -> None:
        """Choose `layer` for `modality`, or none, as a user does."""
        self._touched.add(modality)
        self._boxes[modality].value = layer

    def close_down(self) -> None:
        """Stop following the viewer's layers."""
        self._viewer.layers.events.inserted.disconnect(self.refresh)
        self._viewer.layers.events.removed.disconnect(self.refresh)

    def _choose(self) -> None:
        self.chosen.emit(self.assigned())


def _layer_box(modality: str) -> ComboBox:
    box = ComboBox(
        label=modality, choices=[], nullable=True, value=None, tooltip=f"The layer that is {modality}"
    )
    box.null_string = NOT_THERE
    # A layer's name may be longer than the dock is wide.
    make_narrow(box.native)
    return box


def _may_be_chosen(layer: Image) -> bool:
    role = role_of(layer)
    return role is None or role.is_modality
