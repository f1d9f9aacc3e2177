"""The part of the widget where a patient is opened, from a dialog, a drop or layers, and described."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox
from napari.layers import Image
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_rdl import brats
from napari_rdl.errors import Remedy
from napari_rdl.files import is_folder
from napari_rdl.plugin.parts.folded import FoldedMessages
from napari_rdl.plugin.parts.inputs import make_narrow
from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel, plain_collapsible
from napari_rdl.plugin.segment.patient_lists import PatientList, UnexplainedList
from napari_rdl.plugin.viewer.patient_layers import find_images, guess_modality
from napari_rdl.plugin.viewer.roles import role_of

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.plugin.segment.patient_source import OpenedCase


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

    def guess_again(self) -> None:
        """Let go of what was chosen: the layers are another patient's."""
        self._touched.clear()
        self.refresh()

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


class PatientBox(Section):
    """Open a patient: by a dialog, from a folder's list, or from open layers.

    Signals
    -------
    paths_chosen : list of Path
        One folder, or NIfTI files.
    layers_chosen : dict of str to Image
    resample_asked : no value
        Open the same patient again, brought to one grid.
    more_chosen : dict of str to Path
        Open the same patient again, with a file that is this modality.
    """

    paths_chosen = Signal(list)
    layers_chosen = Signal(dict)
    resample_asked = Signal()
    more_chosen = Signal(dict)

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__("Patient", parent)
        self.start_folder: Path | None = None
        self.open_button = QPushButton("Open patient…")
        self.open_button.setToolTip(
            "Choose the folder that holds one patient's T1, T1c, T2 and FLAIR files, or a folder of patients"
        )
        self.open_button.clicked.connect(self._ask_for_folder)
        self.hint = WrappedLabel("or drop a folder or NIfTI files anywhere on this panel")
        self.patients = PatientList()
        self.patients.chosen.connect(lambda folder: self.paths_chosen.emit([folder]))
        self.layer_assignment = LayerAssignment(viewer)
        self.layer_assignment.chosen.connect(self.layers_chosen)
        self._open_layers = plain_collapsible(
            "Use open layers",
            self.layer_assignment,
            "Take layers that are already in the viewer as this patient's modalities",
        )
        self.summary = WrappedLabel()
        self.summary.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.unexplained = UnexplainedList()
        self.unexplained.chosen.connect(self.more_chosen)
        self.findings = FoldedMessages("What looks wrong with the images, and what was mended")
        self.resample_button = QPushButton("Resample to one grid")
        self.resample_button.setToolTip(
            "Bring all modalities to the grid of the finest one, and the expert's mask onto that (nearest "
            "neighbour). Their positions in space must already agree."
        )
        self.resample_button.clicked.connect(self.resample_asked)
        self.resample_button.setVisible(False)
        for widget in (
            self.open_button,
            self.hint,
            self.patients,
            self._open_layers,
            self.summary,
            self.unexplained,
            self.findings,
            self.resample_button,
        ):
            self.body.addWidget(widget)

    def show_patient(self, patient: OpenedCase) -> None:
        """Say who the patient is and what the checks found."""
        case = patient.case
        self.hint.setText("")
        spacing = " × ".join(f"{value:.3g}" for value in case.grid.spacing)
        shape = " × ".join(map(str, case.grid.shape))
        self.summary.setText(
            f"{case.name}: {', '.join(case.modalities)}. {shape} voxels of {spacing} mm"
            f"{', resampled to one grid' if case.resampled else ''}."
        )
        messages = [(finding.level, finding.message) for finding in patient.findings]
        said = {message for _, message in messages}
        messages += [("note", note) for note in case.notes if note not in said]
        self.findings.show_messages(messages)
        self.unexplained.show_images(patient.unexplained, case.modalities)
        self.resample_button.setVisible(
            any(finding.remedy is Remedy.FIT_MASK for finding in patient.findings)
        )

    def offer_resample(self, offer: bool) -> None:
        """Show or hide the button for a patient whose grids differ."""
        self.resample_button.setVisible(offer)

    def set_busy(self, busy: bool) -> None:
        """Take no other patient while work runs."""
        for widget in (
            self.open_button,
            self.patients,
            self.unexplained,
            self.layer_assignment,
            self.resample_button,
        ):
            widget.setEnabled(not busy)

    def _ask_for_folder(self) -> None:
        known = self.start_folder is not None and is_folder(self.start_folder)
        start = str(self.start_folder if known else Path.home())
        chosen = QFileDialog.getExistingDirectory(self, "Open a patient's folder", start)
        if chosen:
            self.paths_chosen.emit([Path(chosen)])
