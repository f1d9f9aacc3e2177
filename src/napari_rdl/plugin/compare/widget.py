"""The dock widget **Compare subsets**: puts its parts together and passes what they say on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari_rdl.errors import NapariRdlError, Remedy
from napari_rdl.plugin.compare.agreement import CompareAgreement
from napari_rdl.plugin.compare.cohort import CompareCohort
from napari_rdl.plugin.compare.comparison import Comparison
from napari_rdl.plugin.compare.export import CompareExport
from napari_rdl.plugin.compare.layers import CompareLayers
from napari_rdl.plugin.compare.matrix_box import MatrixBox
from napari_rdl.plugin.compare.memory import CompareMemory
from napari_rdl.plugin.compare.pair import ComparePair
from napari_rdl.plugin.compare.reference import NOTHING, ReferenceChoice, file_choice, maker_of, was_edited
from napari_rdl.plugin.compare.two_models import CompareModels
from napari_rdl.plugin.compare.worth import CompareWorth
from napari_rdl.plugin.parts.dock import DockWidget
from napari_rdl.plugin.segment.followed_patient import FollowedPatient
from napari_rdl.plugin.segment.open_widgets import open_segment_widget

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.case import Case
    from napari_rdl.plugin.compare.study_runner import Studied
    from napari_rdl.segment import Representations

_LOOK_MS = 1000


class CompareWidget(DockWidget):
    """What every subset of a patient's modalities would have said, and what each modality is worth.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.memory = CompareMemory()
        self.comparison = Comparison(napari_viewer, self)
        self._tried = ReferenceChoice(NOTHING, "")
        self._stands = ReferenceChoice(NOTHING, "")
        self._refused = ReferenceChoice(NOTHING, "")
        self._look = QTimer(self)
        self._look.setInterval(_LOOK_MS)
        self._look.timeout.connect(self._look_at_layer)
        self._look.start()

        self.patient = FollowedPatient(napari_viewer)
        self.matrix_box = MatrixBox(napari_viewer)
        self.layers = CompareLayers(napari_viewer)
        self.pair = ComparePair(self.comparison, self.layers, self.memory, self)
        self.models = CompareModels(self.comparison, self.memory, self)
        self.worth = CompareWorth(self.comparison, self.layers, self.memory, self)
        self.agreement = CompareAgreement(self.comparison, self.layers, self)
        self.cohort = CompareCohort(self.comparison, self.layers, self.memory, self.open_segment, self)
        self.export = CompareExport(self.comparison, self.matrix_box.table, self.memory, self)
        self.matrix_box.body.addWidget(self.export.bar)
        self.parts: list[QWidget] = [
            *(self.matrix_box, self.pair.box, self.models.box, self.worth.box, self.agreement.box)
        ]
        self.fill(self.page([self.patient, *self.parts, self.cohort.box]))
        self._connect()

        self.matrix_box.set_measure(self.memory.choices.measure)
        self._say_where_files_are()
        self.comparison.follow()
        self._say_what_to_do()

    @property
    def table(self) -> QWidget:
        """The table of subsets."""
        return self.matrix_box.table

    # --- What can be asked of the widget from code, as from its parts

    def set_reference(self, choice: ReferenceChoice) -> None:
        """Compare with another reference; where that fails, the last one stays."""
        studied, representations = self.comparison.studied, self.comparison.representations
        case = studied.case if studied is not None else self.comparison.case
        if case is None or (studied is None and representations is None):
            return
        self.messages.clear()
        self.matrix_box.resample_button.setVisible(False)
        self.matrix_box.reference_box.set_current(choice)
        self._tried = choice
        try:
            make = maker_of(choice, case)
        except NapariRdlError as error:
            self._on_error(error)
            return
        if studied is not None:
            self.comparison.runner.compare_with(make)
        elif representations is not None:
            self.comparison.runner.study(representations, make)

    def open_segment(self) -> None:
        """Open Segment tumour beside this widget."""
        open_segment_widget(self._viewer)

    def stop(self) -> None:
        """Stop all work and follow nobody."""
        self._look.stop()
        self.comparison.shut_down()
        for part in (self.pair, self.models, self.worth, self.agreement, self.cohort):
            part.shut_down()
        self.layers.clear()
        self.matrix_box.reference_box.release()
        self._viewer.events.theme.disconnect(self._on_theme)

    # --- Putting together

    def _connect(self) -> None:
        comparison, runner, box = self.comparison, self.comparison.runner, self.matrix_box
        comparison.patient_changed.connect(self._on_patient)
        comparison.encoded.connect(self._on_encoded)
        comparison.studied_changed.connect(self._on_studied)
        comparison.subset_changed.connect(box.table.show_subset)
        comparison.segment_changed.connect(self._say_what_to_do)
        for part in (box.set_busy, self.pair.box.set_waiting, self.worth.box.set_waiting):
            runner.busy_changed.connect(part)
        runner.progressed.connect(box.show_progress)
        runner.measured.connect(self._on_measured)
        runner.failed.connect(self._on_error)
        box.table.subset_chosen.connect(comparison.go_to)
        box.cancel_asked.connect(self._on_cancel)
        box.resample_asked.connect(self._on_resample_asked)
        box.measure_chosen.connect(lambda name: self.memory.remember(measure=name))
        box.reference_box.chosen.connect(self._on_reference_chosen)
        box.table.pin_asked.connect(self.pair.box.pin)
        self.pair.pins_changed.connect(box.table.matrix.set_pins)
        # One layer shows either.
        self.pair.box.difference_switched.connect(lambda on: self.worth.end_where() if on else None)
        self.worth.box.where_asked.connect(lambda name: self.pair.end_difference() if name else None)
        self.export.done.connect(self._on_exported)
        self.export.held.connect(self._on_held)
        self.export.failed.connect(self._on_not_exported)
        self.cohort.failed.connect(self.say_error)
        self.cohort.reference_known.connect(self._on_reference_known)
        for worker in (
            self.pair.worker,
            self.models.worker,
            self.worth.worker,
            self.cohort.worker,
            *self.agreement.workers.values(),
        ):
            worker.failed.connect(self.say_error)
        self._viewer.events.theme.connect(self._on_theme)

    # --- What the comparison says

    def _on_patient(self, case: Case | None) -> None:
        self.messages.clear()
        self.layers.clear()
        self.matrix_box.reference_box.set_case(case, self.memory.choices.reference)
        self._tried = self._stands = self.matrix_box.reference_box.current
        self._say_what_to_do()

    def _on_encoded(self, representations: Representations) -> None:
        self._say_what_to_do()
        self.set_reference(self.matrix_box.reference_box.current)

    def _on_studied(self, studied: Studied | None) -> None:
        if studied is not None:
            self._window_watch.follow()
            self._stands = self._tried
        self.matrix_box.show_study(studied)
        self.matrix_box.table.show_subset(self.comparison.subset)
        self._say_what_to_do()

    def _on_measured(self, done: int, total: int) -> None:
        studied = self.comparison.studied
        if studied is not None and not self.comparison.runner.busy:
            self.matrix_box.show_measured(studied, done, total)

    def _on_error(self, error: Exception) -> None:
        self.say_error(error)
        self._refused = self._tried
        self.matrix_box.resample_button.setVisible(getattr(error, "remedy", None) is Remedy.FIT_LABELS)
        self._fall_back()

    def _on_resample_asked(self) -> None:
        self.set_reference(file_choice("file", self._refused.what, resample=True))

    def _look_at_layer(self) -> None:
        """Offer to read an edited layer again, as soon as it is edited."""
        studied, box = self.comparison.studied, self.matrix_box.reference_box
        if studied is not None and not self.comparison.runner.busy:
            box.offer_again(was_edited(box.current, studied.study.reference))

    def _on_cancel(self) -> None:
        self.comparison.runner.cancel()
        if self.comparison.studied is not None:
            self._fall_back()
        else:
            self.messages.show_message(
                "note", "Cancelled. Choose a reference to compare the subsets after all."
            )

    def _fall_back(self) -> None:
        """Return to the reference that the table shows; without a table, make one of volumes alone."""
        if self.comparison.studied is not None:
            self._tried = self._stands
            self.matrix_box.reference_box.set_current(self._stands)
        elif self._tried.kind != NOTHING and (representations := self.comparison.representations) is not None:
            self._tried = ReferenceChoice(NOTHING, "")
            self.matrix_box.reference_box.set_current(self._tried)
            # What went wrong stays in sight.
            self.comparison.runner.study(representations, maker_of(self._tried, representations.case))

    # --- What the parts say

    def _on_reference_chosen(self, choice: ReferenceChoice) -> None:
        if choice.kind == "file":
            self.memory.remember(folder=choice.what.parent)
        elif choice.kind == "checkpoint":
            self.memory.remember(checkpoint_folder=choice.what.parent)
        elif choice.kind in ("none", "truth", "full"):
            self.memory.remember(reference=choice.kind)
        self._say_where_files_are()
        self.set_reference(choice)

    def _say_where_files_are(self) -> None:
        choices, box = self.memory.choices, self.matrix_box.reference_box
        box.start_folders = {"file": choices.folder, "checkpoint": choices.checkpoint_folder}

    def _on_reference_known(self, kind: str) -> None:
        box = self.matrix_box.reference_box
        box.set_case(self.comparison.case, kind)
        self._tried = self._stands = box.current

    def _on_exported(self, sentence: str) -> None:
        self.messages.forget_errors()
        self.matrix_box.status.setText(sentence)

    def _on_not_exported(self, error: Exception) -> None:
        self.matrix_box.status.setText("")
        self.say_error(error)

    def _on_held(self, sentence: str) -> None:
        self.messages.show_messages([("note", sentence)] if sentence else [])

    def _on_theme(self) -> None:
        self.matrix_box.set_theme(self._viewer)
        self.worth.box.set_theme(self._viewer)

    def _say_what_to_do(self) -> None:
        ready = self.comparison.ready
        self.patient.said.setText(self.comparison.advice)
        self.patient.open_button.setVisible(not ready)
        for part in self.parts:
            part.setVisible(ready)
        # Label files of anyone need no run.
        self.pair.box.setVisible(ready or self.comparison.case is not None)
