"""Results on their way out: the prediction and the corrected copy, nothing lost unasked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QWidget

from napari_rdl.errors import CaseError, NapariRdlError
from napari_rdl.files import is_folder, plain_name
from napari_rdl.plugin.parts.questions import Answer, ask_about_corrections
from napari_rdl.plugin.parts.save_dialog import ask_for_file, record_beside
from napari_rdl.plugin.segment.choices import Choices
from napari_rdl.plugin.segment.prediction_updater import PredictionUpdater
from napari_rdl.plugin.segment.saving_box import SavingBox
from napari_rdl.plugin.segment.session import Session
from napari_rdl.plugin.viewer.corrected import CorrectedLayer, checked_classes, is_correction_of

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.case import Finding
    from napari_rdl.plugin.parts.tasks import Task


StartTask = Callable[["Task", Callable[[Any], None]], None]


class Saving(QObject):
    """Corrects copies and writes results for the widget, and enables the buttons for it.

    Signals
    -------
    failed : Exception
    saved : Path
        A prediction or corrected labels.
    corrected_saved : Path
        Corrected labels.
    corrected_refused : Exception
        Corrected labels could not be saved; `failed` says so too.

    Attributes
    ----------
    findings : tuple of Finding
        What the checks said of the patient.

    Parameters
    ----------
    start_task : callable
        Starts a task off the GUI's thread, with what to do with its result.
    """

    failed = Signal(object)
    saved = Signal(object)
    corrected_saved = Signal(object)
    corrected_refused = Signal(object)

    def __init__(
        self,
        viewer: Viewer,
        session: Session,
        updater: PredictionUpdater,
        choices: Choices,
        start_task: StartTask,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._widget = parent
        self._session = session
        self._updater = updater
        self._choices = choices
        self._start_task = start_task
        self._busy = False
        self.findings: tuple[Finding, ...] = ()
        self.corrected = CorrectedLayer(viewer)
        self.box = SavingBox()
        self.box.copy_asked.connect(self.correct_a_copy)
        self.box.save_corrected_asked.connect(self.ask_where_to_save_corrected)
        self.box.save_prediction_asked.connect(self.ask_where_to_save_prediction)
        self.box.summary_asked.connect(self.ask_where_to_save_summary)
        # Not while the layer is being inserted: adopting it may take another one out of the list.
        self._look = QTimer(self)
        self._look.setSingleShot(True)
        self._look.timeout.connect(self._adopt)
        self._viewer = viewer
        viewer.layers.events.inserted.connect(self._on_layer)
        self.corrected.changed.connect(self._update_possible)
        session.case_changed.connect(self._on_case)
        session.representations_changed.connect(self._update_possible)

    def set_busy(self, busy: bool) -> None:
        """Start nothing while work runs."""
        self._busy = busy
        self._update_possible()

    def correct_a_copy(self) -> None:
        """Copy the prediction shown to the corrected layer; asks about unsaved corrections first."""
        if self._updater.prediction is None:
            return
        if not self.settled("Starting over from the prediction shown would lose them."):
            return
        self._updater.settle_now()
        self.corrected.start(self._updater.prediction)
        self._updater.hide()
        self.box.status.setText(
            "Edit the corrected layer with napari's label tools: 1 NCR, 2 ED, 3 ET. "
            "The prediction is hidden until you flip a modality."
        )
        self._update_possible()

    def settled(self, occasion: str) -> bool:
        """Return whether unsaved corrections are saved or may be lost; asks if there are any."""
        if not self.corrected.unsaved:
            return True
        answer = ask_about_corrections(self._widget, occasion)
        if answer is Answer.SAVE:
            return self.ask_where_to_save_corrected()
        return answer is Answer.DISCARD

    def save_prediction(self, path: Path) -> None:
        """Write the prediction shown to `path`, and its record beside it, replacing what is there."""
        representations, subset = self._session.representations, self._session.subset
        if representations is None or self._busy:
            return
        self._choices.remember(output_folder=path.parent)
        self.box.status.setText("")

        def save(progress: Progress, cancelled: IsCancelled) -> Path:
            progress(0, 0, "Saving")
            return representations.combine(subset).save_as(path)

        self._start_task(save, self._on_saved)

    def save_summary(self, path: Path) -> None:
        """Write one page about the patient to `path`, and its record beside it, replacing what is there."""
        representations = self._session.representations
        if representations is None or self._busy:
            return
        self._choices.remember(output_folder=path.parent)
        layer = self.corrected.layer
        corrected = None if layer is None else checked_classes(np.array(layer.data), layer.name)
        findings = self.findings
        self.box.status.setText("")

        def save(progress: Progress, cancelled: IsCancelled) -> Path:
            from napari_rdl.cohort.patient_card import patient_card, write_patient_card
            from napari_rdl.compare import expert_reference, study_subsets

            case = representations.case
            try:
                reference = expert_reference(case) if case.mask_file is not None else None
            except CaseError:
                reference = None  # the findings say why
            study = study_subsets(representations, reference, progress=progress, cancelled=cancelled)
            progress(0, 0, "Writing the page")
            page = patient_card(representations, study, findings, corrected=corrected)
            return write_patient_card(path, page, representations, study)

        self._start_task(save, self._on_saved)

    def save_corrected(self, path: Path) -> bool:
        """Write the corrected layer to `path`, replacing what is there; True if that worked."""
        try:
            written = self.corrected.save(path)
        except NapariRdlError as error:
            self.box.status.setText("")
            self.failed.emit(error)
            self.corrected_refused.emit(error)
            return False
        self._choices.remember(output_folder=path.parent)
        self._on_saved(written)
        self.corrected_saved.emit(written)
        return True

    def ask_where_to_save_prediction(self) -> None:
        """Let the user choose a file for the prediction shown."""
        representations = self._session.representations
        if representations is None:
            return
        from napari_rdl.segment import output_name

        name = output_name(representations.case.name, self._session.subset, representations.case.modalities)
        path = self._ask("Save the prediction", self._start_folder() / name)
        if path is not None:
            self.save_prediction(path)

    def ask_where_to_save_corrected(self) -> bool:
        """Let the user choose a file for the corrected layer; True if it was written."""
        start = self._start_folder(self.corrected.path) / self.corrected.default_name
        path = self._ask("Save the corrected layer", start)
        return path is not None and self.save_corrected(path)

    def ask_where_to_save_summary(self) -> None:
        """Let the user choose a file for the summary page."""
        if self._session.case is None:
            return
        start = self._start_folder() / f"{plain_name(self._session.case.name)}_report.html"
        path = ask_for_file(
            self._widget, "Save the summary page", start, "HTML (*.html)", [".html"], beside=record_beside
        )
        if path is not None:
            self.save_summary(path)

    def _ask(self, title: str, start: Path) -> Path | None:
        from napari_rdl.case.label_record import record_of, record_path

        def beside(path: Path) -> Path | None:
            # The dialog asked about the labels, and so for their own record.
            return record_path(path) if record_of(path) is None else None

        kinds, endings = "NIfTI (*.nii.gz *.nii)", (".nii.gz", ".nii")
        return ask_for_file(self._widget, title, start, kinds, endings, beside=beside)

    def _start_folder(self, file: Path | None = None) -> Path:
        """Return where a dialog begins: with `file`, the last result or the patient, else at home."""
        case = self._session.case
        images = list(case.files.values()) if case is not None else []
        folders = [
            file.parent if file is not None else None,
            self._choices.choices.output_folder,
            images[0].parent if images else None,
        ]
        return next((folder for folder in folders if folder is not None and is_folder(folder)), Path.home())

    def shut_down(self) -> None:
        """Stop following the viewer's layers and leave the corrected one to whoever comes next."""
        self.corrected.leave()
        self._look.stop()
        self._viewer.layers.events.inserted.disconnect(self._on_layer)

    def _on_layer(self, event: object) -> None:
        self._look.start(0)

    def _adopt(self) -> None:
        """Go on with a correction of the open patient: one that was saved and opened again, or left here."""
        case = self._session.case
        if case is None:
            return
        if (left := self.corrected.rejoin(case)) is not None:
            self.box.status.setText(f"Going on with the layer '{left.name}', which was here already.")
        opened = [layer for layer in self._viewer.layers if is_correction_of(layer, case)]
        if not opened:
            return
        if self.corrected.unsaved:
            self.box.status.setText(
                f"{opened[-1].name} lies beside the corrected layer, which has changes that are not saved: "
                "save them, then open it again to go on with it."
            )
            return
        self.corrected.adopt(opened[-1], case)
        self._updater.hide()
        self.box.status.setText(
            f"Go on correcting {self.corrected.default_name} with napari's label tools: 1 NCR, 2 ED, 3 ET."
        )
        self._update_possible()

    def _on_saved(self, path: Path) -> None:
        self.box.status.setText(f"Saved {path.name} in {path.parent}.")
        self.saved.emit(path)

    def _on_case(self, case: object) -> None:
        self.box.status.setText("")
        self._update_possible()
        self._look.start(0)

    def _update_possible(self, changed: object = None) -> None:
        self.box.set_possible(
            prediction=not self._busy and self._session.representations is not None,
            corrected=self.corrected.layer is not None,
        )
