"""The part of the widget where a patient is opened and what is known of it is said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QPushButton, QWidget

from napari_rdl.plugin.parts.collapsible import plain_collapsible
from napari_rdl.plugin.parts.message_bar import MessageBar
from napari_rdl.plugin.parts.section import Section, WrappedLabel
from napari_rdl.plugin.segment.drop_target import DropTarget
from napari_rdl.plugin.segment.layer_assignment import LayerAssignment

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.plugin.segment.patient_source import Patient


class PatientBox(Section):
    """Open a patient: by a dialog, by dropping, or from open layers.

    Signals
    -------
    paths_chosen : list of Path
        One folder, or NIfTI files.
    layers_chosen : dict of str to Image
    resample_asked : no value
        Open the same patient again, brought to one grid.
    """

    paths_chosen = Signal(list)
    layers_chosen = Signal(dict)
    resample_asked = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__("Patient", parent)
        self.start_folder: Path | None = None
        self.open_button = QPushButton("Open patient…")
        self.open_button.setToolTip("Choose the folder that holds one patient's T1, T1c, T2 and FLAIR files")
        self.open_button.clicked.connect(self._ask_for_folder)
        self.drop_target = DropTarget()
        self.drop_target.dropped.connect(self.paths_chosen)
        self.layer_assignment = LayerAssignment(viewer)
        self.layer_assignment.chosen.connect(self.layers_chosen)
        self._open_layers = plain_collapsible(
            "Use open layers",
            self.layer_assignment,
            "Take layers that are already in the viewer as this patient's modalities",
        )
        self.summary = WrappedLabel()
        self.summary.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.findings = MessageBar()
        self.resample_button = QPushButton("Resample to one grid")
        self.resample_button.setToolTip(
            "Bring all modalities to the grid of the finest one. Their positions in space must already agree."
        )
        self.resample_button.clicked.connect(self.resample_asked)
        self.resample_button.setVisible(False)
        for widget in (
            self.open_button,
            self.drop_target,
            self._open_layers,
            self.summary,
            self.findings,
            self.resample_button,
        ):
            self.body.addWidget(widget)

    def show_patient(self, patient: Patient) -> None:
        """Say who the patient is and what the checks found."""
        case = patient.case
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
        self.resample_button.setVisible(False)

    def offer_resample(self, offer: bool) -> None:
        """Show or hide the button for a patient whose grids differ."""
        self.resample_button.setVisible(offer)

    def set_busy(self, busy: bool) -> None:
        """Take no other patient while work runs."""
        for widget in (self.open_button, self.drop_target, self.layer_assignment, self.resample_button):
            widget.setEnabled(not busy)

    def _ask_for_folder(self) -> None:
        start = str(self.start_folder) if self.start_folder else ""
        chosen = QFileDialog.getExistingDirectory(self, "Open a patient's folder", start)
        if chosen:
            self.paths_chosen.emit([Path(chosen)])
