"""The dock widget **Segment tumour**: puts its parts together and passes what they say on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer, Signal

from napari_rdl.errors import GridsDifferError, Remedy
from napari_rdl.files import is_folder
from napari_rdl.plugin.parts.dock import DockWidget
from napari_rdl.plugin.parts.drops import Drops
from napari_rdl.plugin.parts.painting import HeldPainting
from napari_rdl.plugin.parts.section import plain_collapsible
from napari_rdl.plugin.parts.tasks import TaskRunner
from napari_rdl.plugin.segment.adopting import Adopting
from napari_rdl.plugin.segment.choices import Choices
from napari_rdl.plugin.segment.corrected_volumes import CorrectedVolumes
from napari_rdl.plugin.segment.early import load_early
from napari_rdl.plugin.segment.key_bindings import KeyEditor, ModalityKeys, ViewerKeys
from napari_rdl.plugin.segment.open_widgets import open_desk, open_segment_widgets
from napari_rdl.plugin.segment.opening import Opening
from napari_rdl.plugin.segment.patient_box import PatientBox
from napari_rdl.plugin.segment.prediction_updater import PredictionUpdater
from napari_rdl.plugin.segment.run_box import RECENT_MODELS, RunBox
from napari_rdl.plugin.segment.saving import Saving
from napari_rdl.plugin.segment.session import Session
from napari_rdl.plugin.segment.switching import Switching
from napari_rdl.plugin.segment.view_box import Viewing
from napari_rdl.plugin.segment.view_controls import TUMOUR_KEY
from napari_rdl.plugin.settings import follow_settings, plugin_settings

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.plugin.segment.opening import Encoded
    from napari_rdl.plugin.segment.patient_source import OpenedCase

logger = logging.getLogger(__name__)

_EARLY_MS = 300
"""After which the window is drawn and has time to load what opening a patient needs."""


class SegmentWidget(DockWidget):
    """Open a patient, segment it, switch modalities, correct and save.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer

    Signals
    -------
    patient_opened : OpenedCase
    encoded : Representations
        A run has ended, or the cache had the patient.
    """

    patient_opened = Signal(object)
    encoded = Signal(object)

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self._run_began: float | None = None
        self._choices = Choices()
        remembered = self._choices.choices
        self.session = Session(self._choices.memory_budget_bytes)
        self.tasks = TaskRunner(self)
        self.updater = PredictionUpdater(napari_viewer, self)
        self.saving = Saving(napari_viewer, self.session, self.updater, self._choices, self._start, self)
        self.keys = ModalityKeys(napari_viewer, self.session.flip)
        self.tumour_key = ViewerKeys(napari_viewer)

        self.corrected_volumes = CorrectedVolumes(self.saving.corrected, self)

        self.patient_box = PatientBox(napari_viewer)
        self.drops = Drops(self)
        self.run_box = RunBox()
        self.switching = Switching(self.session, self.updater, self)
        self.switches = self.switching.switches
        self.key_editor = KeyEditor(remembered.keys)
        self.volumes_table, self.expectation = self.switching.volumes_table, self.switching.expectation
        self._painting = HeldPainting(self)
        self.opening = Opening(self.session, self._start, self._may_open, lambda: self.run_box.choice, self)
        self.viewing = Viewing(napari_viewer, self.updater, self._choices, self.tasks, self)
        keys = plain_collapsible("Keys", self.key_editor, "Choose which keys switch the modalities")
        self.switches.body.addWidget(keys)
        parts = (self.patient_box, self.run_box, self.switches, self.viewing.box, self.saving.box)
        self.fill(self.page(parts))
        self._connect()

        self.run_box.set_choice(self._choices.run, remembered.recent_models)
        self.patient_box.start_folder = remembered.folder
        self._use_keys(remembered.keys)
        self.tumour_key.bind({TUMOUR_KEY: self.viewing.go_to_tumour}, beside_layers=True)
        self._leave_settings = follow_settings(self._on_settings)
        self._adopting = Adopting(napari_viewer, self.session, self.tasks, self.use_layers, self)
        open_segment_widgets.announce(napari_viewer, self)
        QTimer.singleShot(_EARLY_MS, load_early)

    # --- What can be asked of the widget from code, as from its buttons

    def open_patient(
        self, source: Path | str | Iterable[Path | str], *, resample: bool = False, run: bool = False
    ) -> None:
        """Open a patient's folder or NIfTI files, and run the model on it then if `run`.

        A folder of several patients offers their list.
        """
        self.opening.from_files(source, resample=resample, run=run)

    def use_layers(self, assigned: dict[str, Image], *, resample: bool = False, run: bool = False) -> None:
        """Take open image layers, modality -> layer, as the patient."""
        self.opening.from_layers(assigned, resample=resample, run=run)

    def run(self) -> None:
        """Segment the open patient with all of its modalities."""
        case, choice = self.session.case, self.run_box.choice
        if case is None or self.tasks.busy:
            return
        self.messages.clear()
        self._run_began = time.monotonic()

        def segment(progress: Progress, cancelled: IsCancelled) -> Encoded:
            representations = self.session.encode(case, choice, progress, cancelled)
            return representations, representations.combine(None, progress, cancelled)

        self._start(segment, self._on_encoded)

    def set_subset(self, subset: Iterable[str]) -> None:
        """Show the prediction from these modalities."""
        self.session.set_subset(subset)

    def cancel(self) -> None:
        """Stop the work that runs, at its next step."""
        self.run_box.show_cancelling()
        self.tasks.cancel()

    def may_close(self) -> bool:
        """Return whether napari may close: asks about corrections that are not saved."""
        return self.saving.settled("Closing napari would lose them.")

    def stop(self) -> None:
        """Stop all work and give the viewer's keys and events back."""
        open_segment_widgets.withdraw(self)
        self._adopting.release()
        self.opening.shut_down()
        self.tasks.shut_down()
        self.updater.shut_down()
        self.keys.release()
        self.tumour_key.release()
        self.patient_box.layer_assignment.close_down()
        self.viewing.shut_down()
        self.corrected_volumes.release()
        self.saving.shut_down()
        self._leave_settings()
        if self.saving.corrected.unsaved:
            logger.warning("The widget ends with corrections that were not saved.")

    # --- Putting together

    def _connect(self) -> None:
        self.tasks.busy_changed.connect(self._on_busy)
        self.tasks.progressed.connect(self.run_box.show_progress)
        self.updater.failed.connect(self._on_error)
        self.session.case_changed.connect(self._on_case)

        self.opening.read.connect(self._on_read)
        self.opening.opened.connect(self._on_opened)
        self.opening.several_found.connect(self._on_several)
        self.patient_box.paths_chosen.connect(self._on_paths_chosen)
        self.drops.dropped.connect(self._on_paths_chosen)
        self.patient_box.layers_chosen.connect(self.use_layers)
        self.patient_box.resample_asked.connect(self.opening.again_resampled)
        self.patient_box.more_chosen.connect(self.opening.with_more)
        self.patient_box.patients.worklist_asked.connect(
            lambda folders: open_desk(self._viewer).working.ask_for_list_of(folders)
        )
        self.run_box.run_asked.connect(self.run)
        self.run_box.cancel_asked.connect(self.cancel)
        self.run_box.choice_changed.connect(self._on_choice)
        self.key_editor.keys_changed.connect(self._on_keys_changed)
        self.saving.failed.connect(self._on_error)
        self.saving.saved.connect(lambda _path: self.messages.forget_errors())
        self.corrected_volumes.counted.connect(self.volumes_table.show_corrected)
        self.viewing.expert.refused.connect(self._on_expert_refused)

    # --- Work and its ends

    def _may_open(self) -> bool:
        """Return whether another patient may be opened; asks about corrections that are not saved."""
        if self.tasks.busy or not self.saving.settled("Opening another patient would lose them."):
            return False
        self.messages.clear()
        self.patient_box.offer_resample(False)
        self._run_began = None
        return True

    def _start(self, task: Callable[..., object], on_done: Callable[..., None]) -> None:
        self._window_watch.follow()
        self.tasks.start(task, on_done, self._on_error, self._on_cancelled)

    def _on_busy(self, busy: bool) -> None:
        self._painting.hold()
        self.patient_box.set_busy(busy)
        self.drops.set_taking(not busy)
        self.run_box.set_busy(busy)
        self.saving.set_busy(busy)

    def _on_several(self, folders: tuple[Path, ...]) -> None:
        self.patient_box.patients.set_folders(folders, self.opening.folder)
        self.patient_box.patients.box.setFocus()

    def _on_read(self, patient: OpenedCase) -> None:
        self.patient_box.patients.show_open(self.opening.folder)
        self.run_box.show_ran("")
        self.saving.corrected.let_go()
        self.viewing.show_patient(patient)
        self.patient_box.layer_assignment.guess_again()
        self._show_findings(patient)
        self.session.set_case(patient.case)
        # The picture first.
        self._painting.hold()

    def _show_findings(self, patient: OpenedCase) -> None:
        self.patient_box.show_patient(patient)
        self.saving.findings = patient.findings

    def _on_opened(self, patient: OpenedCase, known: Encoded | None) -> None:
        self._show_findings(patient)
        self.patient_opened.emit(patient)
        if known is not None:
            self._on_encoded(known)
        elif self.opening.run_after or plugin_settings().run_on_open:
            self.run()

    def _on_encoded(self, result: Encoded) -> None:
        representations, full = result
        self.switching.set_full(full.volumes_ml())
        # What is seen is what the table tells of.
        self.saving.corrected.hide()
        self.updater.show_volume(representations, full)
        self.viewing.show_result(full)
        self.session.set_representations(representations)
        from napari_rdl.segment import available_devices

        self.run_box.set_devices(available_devices())
        computed = representations.computation
        steps = " ".join(computed.steps)
        # What the user waited, with the start of the model and all; not what the network alone took.
        began, self._run_began = self._run_began, None
        waited = f"{time.monotonic() - began:.1f} s" if began is not None else "encoded before"
        self.run_box.show_ran(
            f"{computed.model_name} on {computed.device}, {computed.precision}, {waited}. {steps}".strip()
        )
        self.encoded.emit(representations)

    def _on_cancelled(self) -> None:
        self.run_box.status.setText("Cancelled.")

    def _on_error(self, error: Exception) -> None:
        self.patient_box.offer_resample(isinstance(error, GridsDifferError))
        self.say_error(error)

    def _on_expert_refused(self, error: Exception) -> None:
        self.patient_box.offer_resample(getattr(error, "remedy", None) is Remedy.FIT_MASK)
        self.say_error(error)

    # --- What the parts say

    def _on_case(self, case: object) -> None:
        self.run_box.set_has_case(case is not None)

    def _on_paths_chosen(self, paths: list[Path]) -> None:
        self._choices.remember(folder=paths[0] if is_folder(paths[0]) else paths[0].parent)
        self.patient_box.start_folder = self._choices.choices.folder
        self.open_patient(paths)

    def _on_choice(self) -> None:
        choice = self.run_box.choice
        recent = self.run_box.models[:RECENT_MODELS]
        self._choices.remember(model=choice.model, device=choice.device, recent_models=recent)

    def _on_settings(self) -> None:
        self.session.set_budget(self._choices.memory_budget_bytes)

    def _on_keys_changed(self, keys: dict[str, str]) -> None:
        self._choices.remember(keys=keys)
        self._use_keys(keys)

    def _use_keys(self, keys: dict[str, str]) -> None:
        self.keys.bind(keys)
        self.switches.set_keys(keys)
