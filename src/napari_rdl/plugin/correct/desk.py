"""The desk: follows the patient of Segment tumour, keeps its corrections in a journal, offers them back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_rdl.correct import Found, History
from napari_rdl.errors import JournalError, NapariRdlError
from napari_rdl.plugin.correct.claim import Claim
from napari_rdl.plugin.correct.earlier_work import LookedFor, look_for_work
from napari_rdl.plugin.correct.kept_journal import KeptJournal
from napari_rdl.plugin.correct.recorder import Recorder
from napari_rdl.plugin.correct.saved_record import save_record
from napari_rdl.plugin.parts.tasks import LatestTask
from napari_rdl.plugin.segment.following import SegmentFollower
from napari_rdl.plugin.viewer.appearance import keep_read_only

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.viewer import Viewer

    from napari_rdl.case import Case
    from napari_rdl.plugin.segment.widget import SegmentWidget
    from napari_rdl.segment import Segmentation


class Desk(SegmentFollower):
    """Follows the viewer's Segment tumour: its patient, its corrected layer.

    Signals
    -------
    patient_changed : no value
        Another patient, another prediction, or none.
    work_changed : no value
        There is another corrected layer, or none.
    changed : no value
        A step was made, taken back or made again.
    walked : no value
        A step was taken back or made again.
    prediction_changed : no value
        Segment tumour shows what another subset, or another run, says.
    found_changed : no value
        Earlier work was found, taken up or put aside.
    read_only_changed : no value
        Somebody else corrects this patient, or does so no more; see `held_by`.
    failed : Exception
    problem : str
    saved : Path
        Corrected labels were saved, and their record beside them.
    refused : Exception
        They could not be saved; Segment tumour says so too.

    Attributes
    ----------
    kept : KeptJournal
    """

    patient_changed = Signal()
    work_changed = Signal()
    changed = Signal()
    walked = Signal()
    prediction_changed = Signal()
    found_changed = Signal()
    read_only_changed = Signal()
    failed = Signal(object)
    problem = Signal(str)
    saved = Signal(object)
    refused = Signal(object)

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(viewer, parent)
        self.recorder: Recorder | None = None
        self.found: Found | None = None
        self._taking_up: Found | None = None
        self.kept = KeptJournal(self)
        self._corrects: Segmentation | None = None
        self._locked: Labels | None = None
        self._unlock: Callable[[], None] | None = None
        self._claim = Claim(self)
        self._claim.changed.connect(self._on_claim)
        self._search = LatestTask(self)
        self._search.failed.connect(self.failed)

    @property
    def layer(self) -> Labels | None:
        """The corrected layer."""
        return self.recorder.layer if self.recorder is not None else None

    @property
    def history(self) -> History | None:
        """Its history."""
        return self.recorder.history if self.recorder is not None else None

    @property
    def continued(self) -> Path | None:
        """The saved correction that the layer goes on with; None for a copy of a prediction."""
        return self.segment.saving.corrected.continued if self.segment is not None else None

    @property
    def held_by(self) -> str:
        """Who else corrects this patient, so that it can only be looked at here; empty for nobody."""
        return self._claim.held_by

    @property
    def busy(self) -> bool:
        """Whether earlier work is being looked for."""
        return self._search.busy

    def follow(self) -> None:
        """Turn to the Segment tumour widget that is open, now and whenever one is opened."""
        super().follow()
        self.kept.watch()

    def shut_down(self) -> None:
        """Bring the journal to the disk and follow nobody."""
        self.kept.unwatch()
        self.follow_nobody()
        self._lock(None)
        self._claim.release()
        self._search.shut_down()

    # --- Work

    def begin(self) -> None:
        """Correct a copy of the prediction shown; asks about corrections that are not saved."""
        if self.segment is not None and not self.held_by:
            self.segment.saving.correct_a_copy()

    def restore(self) -> None:
        """Take up the work that was found; asks about corrections that are not saved."""
        found, segment, case = self.found, self.segment, self.case
        if found is None or segment is None or case is None or self.held_by:
            return
        if not segment.saving.settled("Taking up earlier work would lose them."):
            return
        self._taking_up = found
        saved = found.history.base if found.unsaved else found.history.labels
        continued = Path(found.continued) if found.continued else None
        segment.saving.corrected.take_up(case, found.history.labels, saved, continued)
        segment.updater.hide()

    def discard(self) -> None:
        """Put the work that was found aside."""
        if self.held_by:
            return
        if self.found is not None:
            self.kept.put_aside()
        self._set_found(None)

    def keep_elsewhere(self, path: Path) -> None:
        """Keep the journal at another place."""
        try:
            self.kept.keep_elsewhere(path)
        except NapariRdlError as error:
            self.failed.emit(error)

    # --- Whom it follows

    def heard(self, segment: SegmentWidget) -> Iterable[tuple[Any, Callable[..., None]]]:
        """Return what is listened to: the patient, what was encoded, the corrected layer and its saving."""
        return (
            (segment.session.case_changed, self._on_case),
            (segment.session.representations_changed, self._on_representations),
            (segment.saving.corrected.changed, self._on_layer),
            (segment.saving.corrected_saved, self._on_saved),
            (segment.saving.corrected_refused, self._on_refused),
            (segment.updater.settled, self._on_prediction),
        )

    def on_segment(self) -> None:
        """Take up what another widget has open."""
        self._on_case(self.case)
        self._on_layer()

    def before_leaving(self) -> None:
        """Record no more."""
        self._stop_recording()

    def _on_case(self, case: Case | None) -> None:
        self.kept.identity = None
        self._set_found(None)
        self._search.drop()
        self._claim.release()
        self.patient_changed.emit()
        self.read_only_changed.emit()
        if case is not None:
            self._search.ask(lambda _progress, _cancelled: look_for_work(case), self._on_found)

    def _on_found(self, result: LookedFor) -> None:
        self.kept.identity, found, hold, holder = result
        self._claim.set(hold, holder)
        self.read_only_changed.emit()
        if holder is not None:
            # Work that somebody else has in hand is not ours to take up.
            self._follow_layer()
            return
        if self.recorder is None:
            self._follow_layer()
        if isinstance(found, JournalError):
            self.failed.emit(found)
        elif found is not None and found.history.steps:
            if self._is_on_the_layer(found):
                self._taking_up = found
                self._follow_layer()
            else:
                self._set_found(found)
        if self.history is not None and self.history.steps:
            self._begin_journal()

    def _is_on_the_layer(self, found: Found) -> bool:
        """Return whether the corrected layer holds this very work: the desk was closed and opened again."""
        history, layer = self.history, self.layer
        if history is None or layer is None or history.steps:
            return False
        return np.array_equal(found.history.labels, np.asarray(layer.data))

    def _on_claim(self) -> None:
        """Turn to looking only, or back to correcting: what the other one left is looked for first."""
        if self.held_by:
            self.read_only_changed.emit()
            self._follow_layer()
        else:
            self._on_case(self.case)

    def _set_found(self, found: Found | None) -> None:
        self.found = found
        self.found_changed.emit()

    def _on_representations(self, representations: object) -> None:
        self.patient_changed.emit()

    def _on_prediction(self, _segmentation: Segmentation) -> None:
        self.prediction_changed.emit()

    def _on_layer(self) -> None:
        layer = self.segment.saving.corrected.layer if self.segment is not None else None
        if layer is not self.layer or self.recorder is None:
            self._follow_layer()

    def _follow_layer(self) -> None:
        layer = self.segment.saving.corrected.layer if self.segment is not None else None
        self._stop_recording()
        found, self._taking_up = self._taking_up, None
        self._lock(layer if self.held_by else None)
        if layer is not None and not self.held_by:
            history = found.history if found is not None else History(layer.data)
            begun_here = found is None and self.continued is None
            self._corrects = self.segment.updater.segmentation if begun_here and self.segment else None
            self.recorder = Recorder(layer, history, self)
            self.recorder.changed.connect(self._on_changed)
            self.recorder.walked.connect(self.walked)
            self.recorder.problem.connect(self.problem)
            if found is not None and self.kept.go_on(found, self._claim.hold):
                self._set_found(None)
        self.work_changed.emit()
        self.kept.say_what_holds()

    def _lock(self, layer: Labels | None) -> None:
        """Keep a layer from being painted; the one kept so before may be painted again."""
        if layer is self._locked:
            return
        if self._unlock is not None:
            self._unlock()
        self._locked = layer
        self._unlock = keep_read_only(layer) if layer is not None else None

    def _stop_recording(self) -> None:
        if self.recorder is not None:
            self.recorder.close()
            self.recorder.deleteLater()
            self.recorder = None
        self.kept.close()

    def _on_changed(self) -> None:
        # The journal begins with the first step: work found and not yet taken up stays as long as it can.
        self._begin_journal()
        self.changed.emit()

    def _begin_journal(self) -> None:
        history = self.history
        if history is not None and self.kept.begin(history, self.continued, self._claim.hold):
            self._set_found(None)

    # --- Saving

    def _on_refused(self, error: Exception) -> None:
        self.refused.emit(error)

    def _on_saved(self, path: Path) -> None:
        case, recorder = self.case, self.recorder
        if case is None or recorder is None:
            return
        recorder.settle()
        try:
            save_record(path, case, recorder.history, self._corrects, self.continued)
        except NapariRdlError as error:
            self.failed.emit(error)
            return
        self.kept.saved()
        self.saved.emit(path)
