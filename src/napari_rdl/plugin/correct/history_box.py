"""Work found again, the steps that can be taken back, and saving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QWidget

from napari_rdl.plugin.parts.section import SPACING, Section, WrappedLabel
from napari_rdl.plugin.parts.times import duration

if TYPE_CHECKING:
    from napari_rdl.correct import EditSummary, History


class FoundBox(Section):
    """Offers earlier work; hidden where there is none.

    Signals
    -------
    restore_asked, discard_asked : no value
    """

    restore_asked = Signal()
    discard_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Earlier work", parent)
        self.text = WrappedLabel()
        self.restore_button = QPushButton("Restore")
        self.restore_button.setToolTip("Go on where this work ended; every step can still be taken back")
        self.discard_button = QPushButton("Discard")
        self.discard_button.setToolTip("Put this work aside and begin anew")
        row = QHBoxLayout()
        row.setSpacing(SPACING)
        row.addWidget(self.restore_button)
        row.addWidget(self.discard_button)
        self.body.addWidget(self.text)
        self.body.addLayout(row)
        self.restore_button.clicked.connect(self.restore_asked)
        self.discard_button.clicked.connect(self.discard_asked)
        self.offer("")

    def offer(self, text: str) -> None:
        """Offer what `text` tells of; empty for nothing."""
        self.text.setText(text)
        self.setVisible(bool(text))


class HistoryBox(Section):
    """Undo and redo, what was changed, saving.

    Signals
    -------
    undo_asked, redo_asked, save_asked, back_asked, elsewhere_asked : no value
    dicom_asked : no value
        Save the corrected labels as DICOM.
    sources_shown : bool
        Whether a layer shows who said what.
    """

    undo_asked = Signal()
    redo_asked = Signal()
    save_asked = Signal()
    back_asked = Signal()
    elsewhere_asked = Signal()
    dicom_asked = Signal()
    sources_shown = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("History and saving", parent)
        self.undo_button = QPushButton("Undo")
        self.redo_button = QPushButton("Redo")
        self.save_button = QPushButton("Save corrected…")
        self.save_button.setToolTip(
            "Write the corrected labels on the grid of the patient's files, with a record of what was changed"
        )
        self.dicom_button = QPushButton("Save as DICOM SEG…")
        self.dicom_button.setToolTip(
            "Write the corrected labels as a DICOM segmentation, for a patient whose files came from "
            "a DICOM series; asks for the folder of that series"
        )
        self.back_button = QPushButton("Bring the layer back")
        self.back_button.setToolTip("Put the corrected layer into the list of layers again")
        self.elsewhere_button = QPushButton("Keep work elsewhere…")
        self.elsewhere_button.setToolTip("Choose another file for the journal of your work")
        self.sources_box = QCheckBox("Show who changed what")
        self.sources_box.setToolTip("A layer that shows what a human changed, and what a refinement did")
        self.summary = WrappedLabel()
        self.status = WrappedLabel()
        row = QHBoxLayout()
        row.setSpacing(SPACING)
        row.addWidget(self.undo_button)
        row.addWidget(self.redo_button)
        self.body.addLayout(row)
        self.body.addWidget(self.summary)
        for part in (
            self.sources_box,
            self.back_button,
            self.elsewhere_button,
            self.save_button,
            self.dicom_button,
            self.status,
        ):
            self.body.addWidget(part)
        self.back_button.setVisible(False)
        self.elsewhere_button.setVisible(False)
        self.undo_button.clicked.connect(self.undo_asked)
        self.redo_button.clicked.connect(self.redo_asked)
        self.save_button.clicked.connect(self.save_asked)
        self.back_button.clicked.connect(self.back_asked)
        self.elsewhere_button.clicked.connect(self.elsewhere_asked)
        self.dicom_button.clicked.connect(self.dicom_asked)
        self.sources_box.toggled.connect(self.sources_shown)
        self.show_history(None)

    def show_history(self, history: History | None) -> None:
        """Say what can be taken back and made again."""
        undo = history is not None and history.can_undo
        redo = history is not None and history.can_redo
        self.undo_button.setEnabled(undo)
        self.redo_button.setEnabled(redo)
        self.undo_button.setToolTip(f"Take back: {history.undo_name} (Ctrl+Z)" if undo and history else "")
        self.redo_button.setToolTip(
            f"Make again: {history.redo_name} (Ctrl+Shift+Z)" if redo and history else ""
        )
        self.save_button.setEnabled(history is not None)
        self.dicom_button.setEnabled(history is not None)
        self.sources_box.setEnabled(history is not None)
        if history is None:
            self.summary.setText("")

    def show_summary(self, summary: EditSummary, continued: bool) -> None:
        """Say what was changed of a prediction, or of a saved correction that is gone on with."""
        if not summary.steps:
            self.summary.setText("Nothing changed yet.")
            return
        human, refined = summary.changed_ml["human"], summary.changed_ml["refinement"]
        changed = ", ".join(f"{region} {human[region] + refined[region]:.1f}" for region in human)
        dice = ", ".join(f"{region} {value:.2f}" for region, value in summary.dice.items())
        steps = f"{summary.steps} step{'s' if summary.steps != 1 else ''}"
        self.summary.setText(
            f"{steps}, {duration(summary.seconds_at_work)} at work. Changed, in ml: {changed}. "
            f"Dice with {'what was opened' if continued else 'the prediction'}: {dice}."
        )
