"""The subset study of a folder of patients: what ``napari-rdl study`` runs.

Each patient's results are files of their own, written whole or not at all, so a study that was
interrupted goes on where it was, and several processes share the patients.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_rdl.brats import MODALITIES
from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.case import (
    file_sha256,
    find_case_files,
    find_patients,
    is_patient_folder,
    load_case,
)
from napari_rdl.cohort.finished import (
    INDEX,
    PATIENTS,
    FinishedStudy,
    StudiedPatient,
    StudyIndex,
    file_stem,
    load_study,
    worst_first,
)
from napari_rdl.cohort.processes import processes, wait_for_all
from napari_rdl.compare.agreement import places_of_disagreement
from napari_rdl.compare.other_labels import expert_reference
from napari_rdl.compare.study import study_subsets
from napari_rdl.errors import Cancelled, CaseError, NapariRdlError, OutputError
from napari_rdl.files import write_bytes, write_json, write_text
from napari_rdl.metrics import EMPTY_MASK_RULE

if TYPE_CHECKING:
    from napari_rdl.models import Model
    from napari_rdl.segment import SegmentSettings

logger = logging.getLogger(__name__)

_FORMAT = 1  # raised whenever a patient's file changes its meaning


class StudySettings(BaseModel):
    """What is studied; stands in the report's header."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: Literal["truth", "full"] = Field(
        "truth",
        title="Reference",
        description="truth: the expert's mask, and volumes alone where a patient has none; full: what all "
        "modalities say together.",
    )
    distances: bool = Field(True, title="HD95", description="Measure surface distances too; slower.")
    labels: str | None = Field(
        None, title="Label convention", description="Convention of the masks, where names do not say it."
    )
    resample: bool = Field(
        False, title="Resample", description="Bring a patient's modalities to one grid where theirs differ."
    )


@dataclass(frozen=True)
class CohortPatient:
    """A patient to study, not read yet: a name that is unique in the cohort, and the folder."""

    name: str
    folder: Path


def find_cohort(folder: str | Path) -> tuple[CohortPatient, ...]:
    """Return the patients of a folder, or the one patient that it is.

    Raises
    ------
    CaseError
        If it is no folder, or has no patients.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CaseError(f"{folder} is no folder: give a patient's folder, or a folder of patients.")
    found = [folder] if is_patient_folder(folder) else find_patients(folder)
    if not found:
        raise CaseError(f"{folder} holds no patients: give a patient's folder, or a folder of patients.")
    names = [path.resolve().name for path in found]
    if len(set(names)) < len(names):
        names = [path.relative_to(folder).as_posix() for path in found]
    return tuple(CohortPatient(name, path) for name, path in zip(names, found, strict=True))


def study_cohort(
    data: str | Path,
    model: Model,
    out: str | Path,
    *,
    settings: StudySettings | None = None,
    segment: SegmentSettings | None = None,
    progress: Progress = ignore_progress,
    cancelled: IsCancelled = never_cancelled,
) -> FinishedStudy | None:
    """Study every patient of a folder, and write tables, charts and the report.

    Parameters
    ----------
    data : str or Path
        A folder of patients, or one patient's.
    model : Model
        As `load_model` returns it.
    out : str or Path
        Folder of the report; what is there already, of the same model, settings and files, is kept.
    settings : StudySettings, optional
        What is studied.
    segment : SegmentSettings, optional
        Device, precision, tiles.
    progress, cancelled : callable
        Called after each patient; the work within one can be cancelled too.

    Returns
    -------
    FinishedStudy or None
        None in all but the first of several processes (torchrun, SLURM).

    Raises
    ------
    NapariRdlError
        If data, model or folder do not fit. A patient that fails is listed and the others go on.
    Cancelled
        If `cancelled` answered True; patients that are done are kept.
    """
    from napari_rdl.cohort.report import write_report
    from napari_rdl.segment import SegmentSettings

    settings, segment = settings or StudySettings(), segment or SegmentSettings()
    patients = find_cohort(data)
    out = Path(out)
    key = _key(model, settings, segment)
    rank, count = processes()
    mine = patients[rank::count]
    for done, patient in enumerate(mine):
        if cancelled():
            raise Cancelled
        progress(done, len(mine), f"Studying {patient.name}")
        _study_or_reason(patient, model, out, key, settings, segment, cancelled)
    progress(len(mine), len(mine), "Studied")
    wait_for_all(count)
    if rank:
        return None
    _write_index(data, patients, out, key, model, settings)
    study = load_study(out)
    write_report(study)
    return study


def _study_or_reason(
    patient: CohortPatient,
    model: Model,
    out: Path,
    key: str,
    settings: StudySettings,
    segment: SegmentSettings,
    cancelled: IsCancelled,
) -> None:
    """Leave a patient's files in `out`, or the reason why there are none."""
    path = out / PATIENTS / f"{file_stem(patient.name)}.json"
    try:
        inputs = _hash_of_inputs(patient, settings)
        known = _finished(path, key)
        if known is None or known.inputs != inputs or not _complete(path):
            _study_patient(patient, model, path, key, inputs, settings, segment, cancelled)
        return
    except OutputError:
        raise  # the next patient's could not be written either
    except NapariRdlError as error:
        reason = str(error)
    except Exception as error:
        # Hours of other patients' work must not be lost to one that nobody foresaw.
        logger.exception("%s failed", patient.name)
        reason = f"{type(error).__name__}: {error}"
    logger.info("%s is left out: %s", patient.name, reason)
    write_json(path, {"key": key, "failed": reason}, indent=1)


def _study_patient(
    patient: CohortPatient,
    model: Model,
    path: Path,
    key: str,
    inputs: str,
    settings: StudySettings,
    segment: SegmentSettings,
    cancelled: IsCancelled,
) -> None:
    from napari_rdl.cohort.picture import draw_patient
    from napari_rdl.segment import encode

    case = load_case(patient.folder, labels=settings.labels, resample=settings.resample)
    # Before the encoding, which is what takes long: a mask that does not fit is known at once.
    reference = expert_reference(case) if settings.reference == "truth" and case.mask_file else None
    representations = encode(case, model, settings=segment, cancelled=cancelled)
    study = study_subsets(
        representations, "full" if settings.reference == "full" else reference, cancelled=cancelled
    )
    if settings.distances:
        for _ in study.measure_distances(cancelled=cancelled):
            pass
    remarks = [study.remark] if study.remark else []
    if study.reference is None:
        remarks.append(f"{patient.name} has no expert mask: volumes alone.")
    record = StudiedPatient(
        key=key,
        inputs=inputs,
        name=patient.name,
        folder=str(patient.folder.absolute()),
        modalities=study.modalities,
        shape=case.grid.shape,
        reference=None if study.reference is None else settings.reference,
        remark=" ".join(remarks) or None,
        rows=study.rows,
        worth=study.worth(),
        places=tuple(places_of_disagreement(study.stack, case.grid)),
    )
    study.stack.save(path.with_suffix(".npz"))
    picture = draw_patient(case, study)
    write_bytes(path.with_suffix(".png"), picture)
    # Last, since it says that the others are there.
    write_text(path, record.model_dump_json(indent=1))


def _key(model: Model, settings: StudySettings, segment: SegmentSettings) -> str:
    """Return what patients must share to stand in one table."""
    content = [_FORMAT, model.sha256, settings.model_dump(mode="json"), segment.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _hash_of_inputs(patient: CohortPatient, settings: StudySettings) -> str:
    files = find_case_files(patient.folder, labels=settings.labels)
    content: list[Any] = [(name, path.name, file_sha256(path)) for name, path in files.images.items()]
    if files.mask is not None:
        content.append(("mask", files.mask.name, file_sha256(files.mask)))
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _finished(path: Path, key: str) -> StudiedPatient | None:
    """Return a patient's record if it is there, whole, and of the same model and settings."""
    try:
        record = StudiedPatient.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return record if record.key == key else None


def _complete(path: Path) -> bool:
    return path.with_suffix(".npz").is_file() and path.with_suffix(".png").is_file()


def _reason(path: Path, key: str) -> str:
    """Return why a patient has no record."""
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["key"] == key:
            return str(content["failed"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return "The process that had it ended early; run the study again."


def _write_index(
    data: str | Path,
    patients: Sequence[CohortPatient],
    out: Path,
    key: str,
    model: Model,
    settings: StudySettings,
) -> None:
    records: list[StudiedPatient] = []
    failed: dict[str, str] = {}
    for patient in patients:
        path = out / PATIENTS / f"{file_stem(patient.name)}.json"
        record = _finished(path, key)
        if record is None:
            failed[patient.name] = _reason(path, key)
        else:
            records.append(record)
    seen = {name for record in records for name in record.modalities}
    known = (*MODALITIES, *sorted(seen - set(MODALITIES)))
    references = {"truth": "the expert's mask", "full": "what all modalities say together"}
    index = StudyIndex(
        key=key,
        about={
            "model": model.name,
            "weights_sha256": model.sha256,
            "trained_on": model.card.trained_on,
            "data": str(data),
            "patients": len(records),
            "without_reference": sum(record.reference is None for record in records),
            "failed": len(failed),
            "reference": references[settings.reference],
            "protocol": "Every modality is encoded alone; hard labels of the most probable class on each "
            "patient's own grid; means over patients. HD95 in mm.",
            "empty_masks": EMPTY_MASK_RULE,
            "worth": "Exact Shapley values over all subsets; no modality is worth the empty label map. A "
            "region that is empty in a patient's reference has no value there.",
        },
        settings=settings.model_dump(mode="json"),
        modalities=tuple(name for name in known if name in seen),
        patients=tuple(record.name for record in worst_first(records)),
        failed=failed,
    )
    write_text(out / INDEX, index.model_dump_json(indent=1))
