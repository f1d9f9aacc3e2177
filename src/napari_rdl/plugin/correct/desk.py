"""The desk: follows the patient of Segment tumour, keeps its corrections in a journal, offers them back."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_rdl.correct import (
    CorrectionRecord,
    Found,
    History,
    Identity,
    Journal,
    journal_path,
    put_aside,
    read_journal,
    summarise,
)
from napari_rdl.errors import JournalError, NapariRdlError
from napari_rdl.files import plain_name
from napari_rdl.holder import Hold, Holder
from napari_rdl.plugin.correct.claim import Claim, taken
from napari_rdl.plugin.correct.recorder import Recorder
from napari_rdl.plugin.parts.tasks import LatestTask
from napari_rdl.plugin.parts.times import duration
from napari_rdl.plugin.segment.open_widgets import open_segment_widgets
from napari_rdl.plugin.settings import plugin_settings

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.viewer import Viewer

    from napari_rdl.case import Case
    from napari_rdl.plugin.segment.widget import SegmentWidget
    from napari_rdl.segment import Representations, Segmentation


_WATCH_MS = 1000


class Desk(QObject):
    """Follows the viewer's Segment tumour: its patient, its corrected layer.

    Signals
    -------
    patient_changed : no value
        Another patient, another prediction, or none.
    work_changed : no value
        There is another corrected layer, or none.
    changed : no value
        A step was made, taken back or made again.
    found_changed : no value
        Earlier work was found, taken up or put aside.
    held : str
        What stands in the journal's way, in a sentence; empty once nothing does.
    read_only_changed : no value
        Somebody else corrects this patient, or does so no more; see `held_by`.
    failed : Exception
    problem : str
    saved : Path
        Corrected labels were saved, and their record beside them.
    """

    patient_changed = Signal()
    work_changed = Signal()
    changed = Signal()
    found_changed = Signal()
    held = Signal(str)
    read_only_changed = Signal()
    failed = Signal(object)
    problem = Signal(str)
    saved = Signal(object)

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.segment: SegmentWidget | None = None
        self.recorder: Recorder | None = None
        self.found: Found | None = None
        self._taking_up: Found | None = None
        self._journal: Journal | None = None
        self._identity: Identity | None = None
        self._corrects: Segmentation | None = None
        self._held = ""
        self._locked: Labels | None = None
        self._claim = Claim(self)
        self._claim.changed.connect(self._on_claim)
        self._search = LatestTask(self)
        self._search.failed.connect(self.failed)
        self._watch = QTimer(self)
        self._watch.setInterval(_WATCH_MS)
        self._watch.timeout.connect(self._say_what_holds)

    @property
    def case(self) -> Case | None:
        """The patient that is open."""
        return self.segment.session.case if self.segment is not None else None

    @property
    def representations(self) -> Representations | None:
        """The encoded patient."""
        return self.segment.session.representations if self.segment is not None else None

    @property
    def layer(self) -> Labels | None:
        """The corrected layer."""
        return self.recorder.layer if self.recorder is not None else None

    @property
    def history(self) -> History | None:
        """Its history."""
        return self.recorder.history if self.recorder is not None else None

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
        open_segment_widgets.changed.connect(self._on_docked)
        self._on_docked()
        self._watch.start()

    def shut_down(self) -> None:
        """Bring the journal to the disk and follow nobody."""
        open_segment_widgets.changed.disconnect(self._on_docked)
        self._watch.stop()
        self._leave()
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
        segment.saving.corrected.take_up(case, found.history.labels, saved)
        segment.updater.hide()

    def discard(self) -> None:
        """Put the work that was found aside: its file stays until the next is put aside."""
        if self.held_by:
            return
        if self._identity is not None and self.found is not None:
            put_aside(journal_path(self._identity))
        self._set_found(None)

    def keep_elsewhere(self, path: Path) -> None:
        """Keep the journal at another place."""
        if self._journal is None:
            return
        try:
            self._journal.move(path)
        except NapariRdlError as error:
            self.failed.emit(error)
        self._say_what_holds()

    # --- Whom it follows

    def _on_docked(self) -> None:
        segment = open_segment_widgets.find(self._viewer)
        if segment is self.segment:
            return
        self._leave()
        self.segment = segment
        if segment is not None:
            segment.session.case_changed.connect(self._on_case)
            segment.session.representations_changed.connect(self._on_representations)
            segment.saving.corrected.changed.connect(self._on_layer)
            segment.saving.corrected_saved.connect(self._on_saved)
        self._on_case(self.case)
        self._on_layer()

    def _leave(self) -> None:
        self._stop_recording()
        if self.segment is not None:
            segment, self.segment = self.segment, None
            segment.session.case_changed.disconnect(self._on_case)
            segment.session.representations_changed.disconnect(self._on_representations)
            segment.saving.corrected.changed.disconnect(self._on_layer)
            segment.saving.corrected_saved.disconnect(self._on_saved)

    def _on_case(self, case: Case | None) -> None:
        self._identity = None
        self._set_found(None)
        self._search.drop()
        self._claim.release()
        self.patient_changed.emit()
        self.read_only_changed.emit()
        if case is not None:
            self._search.ask(lambda _progress, _cancelled: _look_for_work(case), self._on_found)

    def _on_found(self, result: _Looked) -> None:
        self._identity, found, hold, holder = result
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
            self._set_found(found)
        if self.history is not None and self.history.steps:
            self._begin_journal()

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
            self._corrects = self.segment.updater.segmentation if found is None and self.segment else None
            self.recorder = Recorder(layer, history, self)
            self.recorder.changed.connect(self._on_changed)
            self.recorder.problem.connect(self.problem)
            if found is not None and self._identity is not None:
                path = journal_path(self._identity)
                self._journal = Journal.go_on(path, found, self._identity, self._claim.hold)
                self._set_found(None)
        self.work_changed.emit()
        self._say_what_holds()

    def _lock(self, layer: Labels | None) -> None:
        """Keep a layer from being painted; the one kept so before may be painted again."""
        before, self._locked = self._locked, layer
        if before is not None and before is not layer:
            before.events.editable.disconnect(self._keep_locked)
            before.editable = True
        if layer is not None and layer is not before:
            layer.editable = False
            layer.events.editable.connect(self._keep_locked)

    def _keep_locked(self, event: object = None) -> None:
        if self._locked is not None and self._locked.editable:
            self._locked.editable = False

    def _stop_recording(self) -> None:
        if self.recorder is not None:
            self.recorder.close()
            self.recorder.deleteLater()
            self.recorder = None
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _on_changed(self) -> None:
        # The journal begins with the first step: work found and not yet taken up stays as long as it can.
        if self._journal is None and self._identity is not None:
            self._begin_journal()
        self.changed.emit()

    def _begin_journal(self) -> None:
        if self._journal is None and self._identity is not None and self.history is not None:
            path = journal_path(self._identity)
            self._journal = Journal.begin(path, self._identity, self.history, self._claim.hold)
            self._set_found(None)
            self._say_what_holds()

    def _say_what_holds(self) -> None:
        problem = self._journal.problem if self._journal is not None else None
        sentence = (
            f"Corrections are kept in memory only: {problem.rstrip('.')}. Save them, or keep them elsewhere."
            if problem
            else ""
        )
        if sentence != self._held:
            self._held = sentence
            self.held.emit(sentence)

    # --- Saving

    def _on_saved(self, path: Path) -> None:
        case, recorder = self.case, self.recorder
        if case is None or recorder is None:
            return
        recorder.settle()
        from napari_rdl.case.label_record import record_path
        from napari_rdl.case.provenance import current_versions

        try:
            record = CorrectionRecord(
                case=plain_name(case.name),
                output=path.name,
                labels=case.convention.name,
                versions=current_versions(),
                annotator=plugin_settings().annotator.strip(),
                edits=summarise(recorder.history, case.grid.voxel_ml),
                prediction=self._corrects.provenance() if self._corrects is not None else None,
            )
            record.save(record_path(path))
        except NapariRdlError as error:
            self.failed.emit(error)
            return
        if self._journal is not None:
            self._journal.saved()
        self.saved.emit(path)


_Looked = tuple[Identity, Found | JournalError | None, Hold, Holder | None]


def _look_for_work(case: Case) -> _Looked:
    """Return whose journal it would be, what of it there is, and who has it; reads files."""
    identity = Identity.of(case)
    path = journal_path(identity)
    hold = Hold(path, plugin_settings().annotator)
    holder = taken(hold)
    if holder is not None or not path.exists():
        return identity, None, hold, holder
    try:
        return identity, read_journal(path, identity), hold, None
    except JournalError as error:
        return identity, error, hold, None


def words_for(found: Found) -> str:
    """Return what was found, as a user reads it."""
    history = found.history
    if found.unsaved:
        since = found.saved if found.saved < history.position else 0
        began = datetime.fromtimestamp(found.began) if found.began is not None else None
        worked = duration(max(history.seconds_at_work(since), 1))
        when = f" from {_when(began)}" if began is not None else ""
        lost = " The end of the journal was damaged and is left out." if found.lost else ""
        return f"Not saved: {worked} of work{when}.{lost}"
    at = datetime.fromtimestamp(found.saved_at or 0)
    return f"Corrections saved at {_when(at)} can be taken up again, with all their steps."


def _when(moment: datetime) -> str:
    today = moment.date() == datetime.now().date()
    return f"{moment:%H:%M}" if today else f"{moment:%d %B %Y, %H:%M}"
