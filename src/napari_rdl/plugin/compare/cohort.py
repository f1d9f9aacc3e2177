"""A study of many patients: begun as a process of its own, or opened from its folder, and stepped through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_rdl import brats
from napari_rdl.errors import CaseError, NapariRdlError
from napari_rdl.plugin.compare.cohort_box import CohortBox
from napari_rdl.plugin.compare.comparison import Comparison
from napari_rdl.plugin.compare.layers import CompareLayers
from napari_rdl.plugin.compare.study_process import State, StudyProcess
from napari_rdl.plugin.compare.study_runner import Studied
from napari_rdl.plugin.parts.tasks import LatestTask
from napari_rdl.plugin.viewer.class_colours import class_colours
from napari_rdl.plugin.viewer.roles import Role
from napari_rdl.plugin.viewer.tumour_view import go_to_tumour

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.case import Case
    from napari_rdl.cohort.finished import FinishedStudy, StudiedPatient
    from napari_rdl.plugin.compare.memory import CompareMemory

SUBJECT = "studied labels"


class CompareCohort(QObject):
    """Has Segment tumour open a patient of the study, and shows what was found then.

    Signals
    -------
    failed : Exception
    reference_known : str
        What the study that was opened was compared with: ``truth``, ``full`` or ``none``.
    """

    failed = Signal(object)
    reference_known = Signal(str)

    def __init__(
        self,
        comparison: Comparison,
        layers: CompareLayers,
        memory: CompareMemory,
        open_segment: Callable[[], None],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._comparison = comparison
        self._layers = layers
        self._memory = memory
        self._open_segment = open_segment
        self._widget = parent
        self._study: FinishedStudy | None = None
        self._awaited: StudiedPatient | None = None
        self._shown: StudiedPatient | None = None
        self.reading = LatestTask(self)
        self.worker = LatestTask(self)
        self.box = CohortBox()
        self.reading.failed.connect(self._on_not_read)
        self.box.open_asked.connect(self._ask)
        self.box.patient_chosen.connect(self.go_to)
        comparison.segment_changed.connect(self._on_segment)
        comparison.patient_changed.connect(self._on_patient)
        comparison.studied_changed.connect(self._on_studied)
        comparison.subset_changed.connect(self._on_subset)
        comparison.encoded.connect(self._on_encoded)
        self.process = StudyProcess(self)
        self.process.changed.connect(self._on_process)
        self.process.finished.connect(self._on_finished)
        self.box.begin_asked.connect(self._ask_what_to_study)
        self.box.correct_asked.connect(self.correct)
        self.box.pause_switched.connect(lambda on: self._tell(lambda: self.process.pause(on)))
        self.box.stop_asked.connect(lambda: self._tell(self.process.stop))
        self.box.resume_asked.connect(lambda: self._tell(self.process.resume))
        if memory.choices.running_study is not None:
            self.process.attach(memory.choices.running_study)

    def begin(self, data: Path) -> None:
        """Study the patients of a folder in a process of its own, into a folder beside it."""
        out = data.with_name(f"{data.name}_study")
        segment = self._comparison.segment
        words = []
        if segment is not None:
            choice = segment.run_box.choice
            words = ["--device", choice.device, *(["--model", str(choice.model)] if choice.model else [])]
        self._memory.remember(running_study=out)
        self._tell(lambda: self.process.start(data, out, words))

    def open(self, folder: Path) -> None:
        """Open a finished study and its worst patient."""

        def read(_progress: Progress, _cancelled: IsCancelled) -> FinishedStudy:
            from napari_rdl.cohort.finished import load_study

            return load_study(folder)

        # A file for each of perhaps a thousand patients.
        self.box.show_reading(folder)
        self.reading.ask(read, self._on_read)

    def go_to(self, place: int) -> None:
        """Open a patient of the study; 0 is the worst."""
        if self._study is None or not 0 <= place < len(self._study.patients):
            return
        if self._comparison.segment is None:
            self._open_segment()
        segment = self._comparison.segment
        if segment is None or segment.tasks.busy:
            self.failed.emit(CaseError("Segment tumour is at work: wait until it has ended, or cancel it."))
            return
        patient = self._study.patients[place]
        self._awaited = patient
        segment.open_patient(patient.folder, resample=self._study.settings.resample)
        if not segment.tasks.busy:  # unsaved corrections were to be kept
            self._awaited = None
            return
        self.box.show_place(place)

    def correct(self) -> None:
        """Copy the studied labels of the row shown to the corrected layer; asks about unsaved corrections."""
        studied, segment = self._comparison.studied, self._comparison.segment
        if studied is None or segment is None or self._shown is None or not self._comparison.subset:
            return
        if not segment.saving.settled("Correcting the labels shown would lose them."):
            return
        labels = studied.study.labels(self._comparison.subset)
        segment.saving.corrected.take_up(studied.case, labels, labels)
        self._layers.hide(SUBJECT)

    def shut_down(self) -> None:
        """Stop for good; a study's process goes on."""
        self.process.shut_down()
        self.reading.shut_down()
        self.worker.shut_down()

    def _ask(self) -> None:
        start = str(self._memory.choices.study_folder or Path.home())
        chosen = QFileDialog.getExistingDirectory(self._widget, "Open a finished study", start)
        if chosen:
            self.open(Path(chosen))

    def _ask_what_to_study(self) -> None:
        start = str(self._memory.choices.study_folder or Path.home())
        chosen = QFileDialog.getExistingDirectory(self._widget, "Study the patients of a folder", start)
        if chosen:
            self.begin(Path(chosen))

    def _tell(self, ask: Callable[[], None]) -> None:
        try:
            ask()
        except NapariRdlError as error:
            self.failed.emit(error)

    def _on_process(self, state: State, message: str, done: int, total: int) -> None:
        self.box.progress.show_state(state, message, done, total)
        self.box.begin_button.setEnabled(state not in (State.RUNNING, State.PAUSED))

    def _on_finished(self, folder: Path) -> None:
        if self._memory.choices.running_study is not None:
            self._memory.remember(running_study=None)
            self.open(folder)

    def _on_read(self, study: FinishedStudy) -> None:
        self._study = study
        self._memory.remember(study_folder=study.folder)
        self.box.show_study(study)
        if study.patients:
            self.go_to(0)

    def _on_not_read(self, error: Exception) -> None:
        place = self.box.patients.currentIndex()
        self.box.show_study(self._study)
        self.box.show_place(place)
        self.failed.emit(error)

    def _on_segment(self) -> None:
        if self._comparison.segment is not None:
            self._comparison.segment.failed.connect(self._on_segment_failed)

    def _on_segment_failed(self, error: Exception) -> None:
        if self._awaited is not None:
            self._awaited = None
            self.failed.emit(error)

    def _on_patient(self, case: Case | None) -> None:
        patient, self._awaited, self._shown = self._awaited, None, None
        self.box.correct_button.setVisible(False)
        study = self._study
        if patient is None or case is None or study is None:
            return
        self._shown = patient

        def read(progress: Progress, cancelled: IsCancelled) -> Studied:
            progress(0, 0, "Reading the study")
            if case.grid.shape != patient.shape:
                raise CaseError(
                    f"{patient.folder} holds other images than were studied: run the study again."
                )
            # A convention that was named for the study is not known to the patient opened here.
            known = study.load_case(patient) if study.settings.labels else case
            return Studied(case, study.open(patient, known), list(patient.places))

        self._comparison.runner.make(read)

    def _on_studied(self, studied: Studied | None) -> None:
        if studied is None or self._shown is None or self._comparison.representations is not None:
            return
        if not self._comparison.subset:
            self.reference_known.emit(self._shown.reference or "none")
            self._comparison.go_to(studied.study.modalities)
            full = studied.study.labels(studied.study.modalities)
            go_to_tumour(self._comparison.viewer, studied.case.grid, full)

    def _on_encoded(self, representations: object) -> None:
        # The prediction layer shows the rows from now on.
        self._shown = None
        self.box.correct_button.setVisible(False)
        self.worker.drop()
        self._layers.hide(SUBJECT)

    def _on_subset(self, subset: tuple[str, ...]) -> None:
        studied = self._comparison.studied
        if self._shown is None or studied is None or not subset:
            return

        def show(labels: np.ndarray) -> None:
            if self._comparison.studied is studied and self._shown is not None:
                self.box.correct_button.setVisible(True)
                names = [brats.CLASS_TITLES.get(name, name) for name in brats.CLASSES]
                self._layers.show_labels(
                    studied.case, SUBJECT, labels, dict(class_colours), names, role=Role.STUDIED
                )

        self.worker.ask(lambda _progress, _cancelled: studied.study.labels(subset), show)
