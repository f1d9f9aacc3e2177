"""What a model's first look at a patient gives a worklist: how unsure it is, and its labels as they are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.case import save_correction
from napari_rdl.case.provenance import current_versions
from napari_rdl.cohort.patients import Patient
from napari_rdl.cohort.worklist import Worklist
from napari_rdl.cohort.worklist_file import Entry, State
from napari_rdl.correct import CorrectionRecord, EditSummary
from napari_rdl.correct.doubt import mean_doubt
from napari_rdl.errors import Cancelled, NapariRdlError
from napari_rdl.files import plain_name

if TYPE_CHECKING:
    from napari_rdl.models import Model
    from napari_rdl.segment import Representations, Segmentation, SegmentSettings


def doubt_of(representations: Representations) -> float:
    """Return how unsure the model is with all modalities that a patient has."""
    from napari_rdl.compare import entropy

    return mean_doubt(representations.labels(), entropy(representations))


def save_as_it_is(segmentation: Segmentation, path: str | Path, annotator: str = "") -> Path:
    """Save a prediction as labels that a human has looked at and found right, with a record that says so.

    Raises
    ------
    OutputError
        If it cannot be written there, or if that is one of the patient's own files.
    """
    path, case = Path(path), segmentation.case
    record = CorrectionRecord(
        case=plain_name(case.name),
        output=path.name,
        labels=case.convention.name,
        versions=current_versions(),
        annotator=annotator,
        edits=EditSummary.nothing(),
        prediction=segmentation.provenance(),
    )
    return save_correction(segmentation.labels, case, path, record)


def accept(worklist: Worklist, name: str, segmentation: Segmentation) -> Entry:
    """Save a prediction as a patient's labels and say that the patient is done.

    Raises
    ------
    ConfigError
        If somebody else has the list, or it has no such patient.
    OutputError
        If labels or list cannot be written.
    """
    worklist.require_ours()
    path = save_as_it_is(segmentation, worklist.labels_for(worklist.entry(name)), worklist.user.strip())
    return worklist.change(name, state=State.DONE, labels=path, accepted=True)


def first_look(
    worklist: Worklist,
    model: Model,
    settings: SegmentSettings,
    *,
    names: Iterable[str] | None = None,
    accepting: bool = False,
    progress: Progress = ignore_progress,
    cancelled: IsCancelled = never_cancelled,
) -> dict[str, str]:
    """Segment patients of a list: note how unsure the model is, and accept what it says if so asked.

    Parameters
    ----------
    worklist : Worklist
    model : Model
    settings : SegmentSettings
    names : iterable of str, optional
        Whom to look at; all that were not measured yet if left out.
    accepting : bool
        Whether the prediction becomes the patient's labels.
    progress, cancelled : callable

    Returns
    -------
    dict
        Patient -> why it could not be looked at.
    """
    from napari_rdl.segment import encode

    worklist.require_ours()
    wanted = (
        [worklist.entry(name) for name in names]
        if names is not None
        else [entry for entry in worklist.entries if entry.doubt is None]
    )
    failures: dict[str, str] = {}
    for done, entry in enumerate(wanted):
        if cancelled():
            raise Cancelled
        progress(done, len(wanted), entry.name)
        try:
            case = Patient(entry.name, folder=worklist.folder_of(entry)).read()
            representations = encode(case, model, settings=settings, cancelled=cancelled)
            worklist.change(entry.name, doubt=round(doubt_of(representations), 4))
            if accepting:
                accept(worklist, entry.name, representations.combine())
        except NapariRdlError as error:
            failures[entry.name] = str(error)
    progress(len(wanted), len(wanted), "")
    return failures
