"""What is compared now: the study of the patient that Segment tumour has open, and the subset shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_rdl.brats import subset_name
from napari_rdl.plugin.compare.study_runner import Studied, StudyRunner
from napari_rdl.plugin.segment.following import SegmentFollower

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    import numpy as np
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_rdl.case import Case
    from napari_rdl.compare import SubsetStudy
    from napari_rdl.plugin.segment.widget import SegmentWidget
    from napari_rdl.segment import Representations

SHOWN, REFERENCE, EXPERT = "shown", "reference", "expert"
"""What can be compared besides single subsets: the row shown, the reference, the expert's mask."""


@dataclass(frozen=True)
class LabelFile:
    """Labels of anyone, in a file; on another grid they may be brought onto the patient's."""

    path: Path
    resample: bool = False

    @property
    def title(self) -> str:
        """The file's name, and what was done to it."""
        return f"{self.path.name}, resampled (nearest)" if self.resample else self.path.name


Side = str | tuple[str, ...] | LabelFile
"""`SHOWN`, `REFERENCE`, `EXPERT`, a subset or a file."""


class Comparison(SegmentFollower):
    """Follows the Segment tumour widget of the same viewer, and owns the study.

    Signals
    -------
    patient_changed : Case or None
        Another patient, or none: whatever was made for the last one goes.
    encoded : Representations
        There is something to study.
    studied_changed : Studied or None
    subset_changed : tuple of str
        Another row is shown; empty where none is.
    segment_changed : no value
        Segment tumour was opened or closed.
    """

    patient_changed = Signal(object)
    encoded = Signal(object)
    studied_changed = Signal(object)
    subset_changed = Signal(object)
    segment_changed = Signal()

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(viewer, parent)
        self.runner = StudyRunner(self)
        self.subset: tuple[str, ...] = ()
        self.runner.study_changed.connect(self._on_studied)

    @property
    def studied(self) -> Studied | None:
        """The study shown."""
        return self.runner.studied

    @property
    def ready(self) -> bool:
        """Whether there is something to compare."""
        return self.representations is not None or self.studied is not None

    @property
    def advice(self) -> str:
        """What the patient is, or what to do first."""
        case = self.case
        if case is not None and self.ready:
            return f"{case.name}: {', '.join(case.modalities)}."
        return self.to_do("all of its subsets are compared here") or ""

    def go_to(self, subset: tuple[str, ...]) -> None:
        """Show a subset: in the prediction layer, where something was encoded."""
        if self.segment is not None and self.representations is not None:
            self.segment.set_subset(subset)
        elif self.studied is not None:
            self._on_subset(subset)

    def shut_down(self) -> None:
        """Follow nobody and stop all work."""
        self.follow_nobody()
        self.runner.shut_down()

    def heard(self, segment: SegmentWidget) -> Iterable[tuple[Any, Callable[..., None]]]:
        """Return what is listened to: the patient, what was encoded, and the subset shown."""
        session = segment.session
        return (
            (session.case_changed, self._on_case),
            (session.representations_changed, self._on_representations),
            (session.subset_changed, self._on_subset),
        )

    def on_segment(self) -> None:
        """Take up what another widget has open."""
        self.segment_changed.emit()
        self._on_case(self.case)
        self._on_representations(self.representations)
        if self.segment is not None and self.segment.session.subset:
            self._on_subset(self.segment.session.subset)

    def _on_case(self, case: Case | None) -> None:
        self.runner.let_go()
        self.subset = ()
        self.patient_changed.emit(case)

    def _on_representations(self, representations: Representations | None) -> None:
        # A patient who loses its representations is another patient: `_on_case` was told.
        if representations is not None:
            self.runner.let_go()
            self.encoded.emit(representations)

    def _on_subset(self, subset: tuple[str, ...]) -> None:
        self.subset = tuple(subset)
        self.subset_changed.emit(self.subset)

    def _on_studied(self, studied: Studied | None) -> None:
        self.studied_changed.emit(studied)


def labels_of(case: Case, study: SubsetStudy | None, side: Side) -> NDArray[np.uint8] | None:
    """Return the class indices of what can be compared, read from a file if need be, or None.

    Raises
    ------
    CaseError
        If a file cannot be used.
    """
    if isinstance(side, LabelFile):
        from napari_rdl.compare import read_labels

        return read_labels(side.path, case, resample=side.resample)
    if side == EXPERT:
        return case.truth()
    if study is None or (isinstance(side, str) and side != REFERENCE):
        return None
    if side == REFERENCE:
        return study.reference.classes if study.reference is not None else None
    return study.labels(side) if side in study.subsets else None


def title_of(study: SubsetStudy | None, side: Side) -> str:
    """Return how what is compared is called."""
    if isinstance(side, LabelFile):
        return side.title
    if side == EXPERT:
        return "expert mask"
    if study is None or isinstance(side, str):
        return study.reference.title if study is not None and study.reference is not None else "no reference"
    return "full set" if side == study.modalities else subset_name(side)
