"""Makes a patient's study off the GUI's thread, then measures distances in the background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_rdl.plugin.parts.tasks import LatestTask

if TYPE_CHECKING:
    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.case import Case
    from napari_rdl.compare import Place, Reference, SubsetStudy
    from napari_rdl.segment import Representations

    MakeReference = Callable[[SubsetStudy, Progress, IsCancelled], Reference | None]
    """Reads or computes a reference; for a worker's thread."""

    StudyTask = Callable[[Progress, IsCancelled], "Studied"]


@dataclass(frozen=True)
class Studied:
    """A patient's study and where its subsets disagree most, worst first."""

    case: Case
    study: SubsetStudy
    places: list[Place]


class StudyRunner(QObject):
    """Holds the study that is shown. The last one asked for wins, whatever is still at work.

    Signals
    -------
    study_changed : Studied or None
    measured : int, int
        Rows that have their distances, and how many there are.
    failed : Exception
    busy_changed : bool
        A study is being made, or no longer.
    progressed : int, int, str
    """

    study_changed = Signal(object)
    measured = Signal(int, int)
    failed = Signal(object)
    busy_changed = Signal(bool)
    progressed = Signal(int, int, str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._making = LatestTask(self)
        self._measuring = LatestTask(self)
        self.studied: Studied | None = None
        self._making.busy_changed.connect(self.busy_changed)
        self._making.progressed.connect(self.progressed)
        self._making.failed.connect(self._on_failed)
        self._measuring.failed.connect(self.failed)
        self._measuring.progressed.connect(self._on_measured)

    @property
    def busy(self) -> bool:
        """Whether a study is being made."""
        return self._making.busy

    @property
    def measuring(self) -> bool:
        """Whether distances are being measured."""
        return self._measuring.busy

    def study(self, representations: Representations, make_reference: MakeReference) -> None:
        """Study an encoded patient anew."""

        def collect(progress: Progress, cancelled: IsCancelled) -> Studied:
            from napari_rdl.compare import study_subsets

            study = study_subsets(representations, progress=progress, cancelled=cancelled)
            return with_reference(representations.case, study, make_reference, progress, cancelled)

        self.make(collect)

    def compare_with(self, make_reference: MakeReference) -> None:
        """Compare the same labels with another reference; the study shown stays if that fails."""
        now = self.studied
        if now is None:
            return

        def compare(progress: Progress, cancelled: IsCancelled) -> Studied:
            from napari_rdl.compare import SubsetStudy

            # A study of its own: the one shown is read while this thread works.
            study = SubsetStudy(now.study.case_name, now.study.grid, now.study.stack)
            study.set_reference(make_reference(study, progress, cancelled))
            return Studied(now.case, study, now.places)

        self.make(compare)

    def make(self, task: StudyTask) -> None:
        """Make a study by `task` as soon as what is at work has stopped."""
        self._measuring.drop()
        self._making.ask(task, self._on_made)

    def cancel(self) -> None:
        """Stop making a study; what is shown stays."""
        self._making.drop()

    def let_go(self) -> None:
        """Stop all work and hold no study."""
        self.cancel()
        self._measuring.drop()
        if self.studied is not None:
            self.studied = None
            self.study_changed.emit(None)

    def shut_down(self) -> None:
        """Stop at once: the viewer is closing."""
        self.studied = None
        self._making.shut_down()
        self._measuring.shut_down()

    def _on_made(self, studied: Studied) -> None:
        self.studied = studied
        self.study_changed.emit(studied)
        self._measure()

    def _on_failed(self, error: Exception) -> None:
        self.failed.emit(error)
        # What is shown stays, and what `make` stopped goes on.
        self._measure()

    def _measure(self) -> None:
        if self.studied is None or self.studied.study.reference is None:
            return
        study = self.studied.study

        def measure(progress: Progress, cancelled: IsCancelled) -> None:
            for _ in study.measure_distances(progress, cancelled):
                pass

        self._measuring.ask(measure, lambda _none: None)

    def _on_measured(self, done: int, total: int, message: str) -> None:
        if self.studied is not None:
            self.measured.emit(done, total)


def with_reference(
    case: Case,
    study: SubsetStudy,
    make_reference: MakeReference,
    progress: Progress,
    cancelled: IsCancelled,
) -> Studied:
    """Find where the subsets of a study disagree, and compare them with a reference."""
    from napari_rdl.compare import places_of_disagreement

    progress(0, 0, "Looking where the subsets disagree")
    places = places_of_disagreement(study.stack, study.grid)
    study.set_reference(make_reference(study, progress, cancelled))
    return Studied(case, study, places)
