"""The box **Correct and save**: its buttons and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QPushButton, QWidget

from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel

if TYPE_CHECKING:
    pass


class SavingBox(Section):
    """Correct a copy, save the copy, save the prediction.

    Signals
    -------
    copy_asked, save_corrected_asked, save_prediction_asked, summary_asked : no value
    """

    copy_asked = Signal()
    save_corrected_asked = Signal()
    save_prediction_asked = Signal()
    summary_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Correct and save", parent)
        self.copy_button = QPushButton("Correct a copy")
        self.copy_button.setToolTip(
            "Copy the prediction shown to a layer of its own and edit it with napari's tools; "
            "no switch and no run ever changes that layer"
        )
        self.save_corrected_button = QPushButton("Save corrected…")
        self.save_corrected_button.setToolTip(
            "Write the corrected layer as NIfTI, on the grid of the patient's files"
        )
        self.save_prediction_button = QPushButton("Save prediction…")
        self.save_prediction_button.setToolTip(
            "Write the prediction shown as NIfTI, on the grid of the patient's files, "
            "with a record of how it came to be"
        )
        self.summary_button = QPushButton("Summary page…")
        self.summary_button.setToolTip(
            "Write one page about the patient to look at or print: volumes, what each modality is worth, "
            "doubt, what the checks say, the weights"
        )
        self.status = WrappedLabel()
        grid = QGridLayout()
        grid.setSpacing(SPACING)
        grid.addWidget(self.save_prediction_button, 0, 0)
        grid.addWidget(self.summary_button, 0, 1)
        grid.addWidget(self.copy_button, 1, 0)
        grid.addWidget(self.save_corrected_button, 1, 1)
        self.body.addLayout(grid)
        self.body.addWidget(self.status)
        self.copy_button.clicked.connect(self.copy_asked)
        self.save_corrected_button.clicked.connect(self.save_corrected_asked)
        self.save_prediction_button.clicked.connect(self.save_prediction_asked)
        self.summary_button.clicked.connect(self.summary_asked)
        self.set_possible(prediction=False, corrected=False)

    def set_possible(self, *, prediction: bool, corrected: bool) -> None:
        """Enable what there is something for."""
        self.copy_button.setEnabled(prediction)
        self.save_prediction_button.setEnabled(prediction)
        self.summary_button.setEnabled(prediction)
        self.save_corrected_button.setEnabled(corrected)
