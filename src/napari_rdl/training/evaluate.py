"""Hard Dice and HD95 of every subset of every patient: what ``napari-rdl evaluate`` runs.

Each patient is encoded once for all its subsets. Patients' scores are files of their own, so an
evaluation that was interrupted goes on where it was, and several processes share the patients.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from napari_rdl.brats import order_modalities, subset_name
from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.case import (
    Case,
    case_from_arrays,
    file_sha256,
    find_case_files,
    load_case,
)
from napari_rdl.cohort.processes import processes, wait_for_all
from napari_rdl.compare.scores import Reference
from napari_rdl.errors import Cancelled, CaseError, ConfigError
from napari_rdl.files import write_json
from napari_rdl.models import Model
from napari_rdl.segment import SegmentSettings, encode
from napari_rdl.training.data.cache import code_digest
from napari_rdl.training.patients import Patient, patients_of

logger = logging.getLogger(__name__)


class EvaluationSettings(BaseModel):
    """What is measured; stands in the report's header."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    modalities: tuple[str, ...] | None = Field(
        None, title="Modalities", description="Use these alone, and their subsets; all by default."
    )
    distances: bool = Field(True, title="HD95", description="Measure surface distances too; slower.")
    smallest_et: int = Field(
        0,
        ge=0,
        title="Smallest ET",
        description="Enhancing tumour of fewer voxels than this is taken away before scoring (the field's "
        "post-processing uses 500); 0 keeps everything.",
    )
    part: str = Field(
        "test", pattern="^(train|validation|test)$", title="Part", description="List of a split file to use."
    )
    labels: str | None = Field(
        None, title="Label convention", description="Convention of the masks, where names do not say it."
    )
    resample: bool = Field(
        False, title="Resample", description="Bring a patient's modalities to one grid where theirs differ."
    )
    segment: SegmentSettings = Field(
        SegmentSettings(), title="Segmentation", description="Device, precision, tiles."
    )


@dataclass(frozen=True)
class Evaluation:
    """Scores of all patients.

    Attributes
    ----------
    scores : dict
        Patient -> subset's name -> region -> ``{"dice": float, "hd95": float | None}``.
    failed : dict
        Patient -> why it has no scores.
    about : dict
        What the header says.
    """

    scores: dict[str, dict[str, dict[str, dict[str, float | None]]]]
    failed: dict[str, str]
    about: dict[str, Any] = field(default_factory=dict)


def evaluate(
    data: str,
    model: Model,
    out: str | Path,
    *,
    settings: EvaluationSettings | None = None,
    progress: Progress = ignore_progress,
    cancelled: IsCancelled = never_cancelled,
) -> Evaluation | None:
    """Score a model on every subset of every patient, and write the report.

    Parameters
    ----------
    data : str
        A folder of patients, a split file, or ``phantom:N`` (with ``:held-out``, from ranges kept aside).
    model : Model
        As `load_model` returns it.
    out : str or Path
        Folder of the report; scores that are there already, of the same model, settings and files, are kept.
    settings : EvaluationSettings, optional
        What is measured.
    progress, cancelled : callable
        Called after each patient.

    Returns
    -------
    Evaluation or None
        None in all but the first of several processes (torchrun, SLURM).

    Raises
    ------
    NapariRdlError
        If data, model or folder do not fit. A patient that fails is listed and the others go on.
    """
    from napari_rdl.training.report import write_report

    settings = settings or EvaluationSettings()
    if settings.modalities is not None:
        try:
            order_modalities(settings.modalities, model.card.network.modalities)
        except ValueError as error:
            raise ConfigError(str(error)) from None
    patients = patients_of(data, settings.part)
    if not patients:
        raise ConfigError(f"{data} names no {settings.part} patients.")
    out = Path(out)
    shared = _key(model, settings)
    rank, count = processes()
    mine = patients[rank::count]
    for done, patient in enumerate(mine):
        if cancelled():
            raise Cancelled
        progress(done, len(mine), f"Evaluating {patient.name}")
        path, key = _score_file(out, patient), _key_of(patient, shared, settings)
        if _read(path, key) is None:
            _write(path, {"key": key, "patient": patient.name, **_score_or_reason(patient, model, settings)})
    progress(len(mine), len(mine), "Evaluated")
    wait_for_all(count)
    if rank:
        return None
    evaluation = _gather(out, patients, shared, settings)
    evaluation.about.update(_about(data, model, settings, evaluation))
    write_report(evaluation, out, model.card.network.modalities, settings)
    return evaluation


def score_case(
    case: Case, truth: NDArray[np.uint8], model: Model, settings: EvaluationSettings
) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return subset's name -> region -> Dice and HD95 of one case, encoded once."""
    wanted = settings.modalities
    names = None if wanted is None else tuple(name for name in wanted if name in case.images)
    if names is not None and not names:
        raise CaseError(f"{case.name} has none of {', '.join(wanted or ())}.")
    representations = encode(case, model, modalities=names, settings=settings.segment)
    reference = Reference(truth, case.grid, "mask")
    scores: dict[str, dict[str, dict[str, float | None]]] = {}
    for segmentation in representations.combine_all():
        found = reference.score(
            segmentation.labels, distances=settings.distances, smallest_et=settings.smallest_et
        )
        scores[subset_name(segmentation.modalities)] = {
            region: {"dice": score.dice, **({"hd95": score.hd95} if settings.distances else {})}
            for region, score in found.items()
        }
    return scores


def _score_or_reason(patient: Patient, model: Model, settings: EvaluationSettings) -> dict[str, Any]:
    try:
        case, truth = read_patient(patient, settings)
        return {"scores": score_case(case, truth, model, settings)}
    except CaseError as error:
        logger.warning("%s is left out: %s", patient.name, error)
        return {"failed": str(error)}


def read_patient(patient: Patient, settings: EvaluationSettings) -> tuple[Case, NDArray[np.uint8]]:
    """Return a patient, read or made, and the true class indices (X, Y, Z).

    Raises
    ------
    CaseError
        If it cannot be read or has no mask.
    """
    if patient.folder is None:
        from napari_rdl.phantom import held_out_settings, make_phantom

        assert patient.seed is not None
        phantom = make_phantom(patient.seed, settings=held_out_settings() if patient.held_out else None)
        return case_from_arrays(phantom.images, phantom.affine, name=patient.name), phantom.classes
    case = load_case(patient.folder, labels=settings.labels, resample=settings.resample)
    truth = case.truth()
    if truth is None:
        raise CaseError(f"{patient.folder} has no mask to compare with (such as {case.name}_seg.nii.gz).")
    return case, truth


def _key(model: Model, settings: EvaluationSettings) -> str:
    """Return what scores must share to stand in one table."""
    content = json.dumps([model.sha256, settings.model_dump(mode="json", exclude={"part"})], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _key_of(patient: Patient, shared: str, settings: EvaluationSettings) -> str:
    """Return what a patient's scores were made from, so that another of the same name is no old one."""
    content: list[Any] = [shared]
    if patient.folder is None:
        content += [patient.seed, patient.held_out, code_digest()]
    else:
        try:
            files = find_case_files(patient.folder, labels=settings.labels)
            paths = [*files.images.values(), *([files.mask] if files.mask is not None else [])]
            content += [(path.name, file_sha256(path)) for path in paths]
        except CaseError:
            # Reading the patient says what is wrong.
            content.append("unreadable")
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _score_file(out: Path, patient: Patient) -> Path:
    return out / "patients" / f"{patient.name.replace('/', '-')}.json"


def _read(path: Path, key: str) -> dict[str, Any] | None:
    """Return a patient's scores if they are there, whole, and of the same model and settings."""
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, json.JSONDecodeError):
        return None
    # What failed is tried again: its files may have been mended.
    return content if content.get("key") == key and "scores" in content else None


def _write(path: Path, content: dict[str, Any]) -> None:
    write_json(path, content, indent=1)


def _gather(out: Path, patients: Sequence[Patient], shared: str, settings: EvaluationSettings) -> Evaluation:
    scores, failed = {}, {}
    for patient in patients:
        path = _score_file(out, patient)
        content = _read(path, _key_of(patient, shared, settings))
        if content is not None:
            scores[patient.name] = content["scores"]
        else:
            failed[patient.name] = json.loads(path.read_text("utf-8"))["failed"]
    return Evaluation(scores, failed)


def _about(data: str, model: Model, settings: EvaluationSettings, evaluation: Evaluation) -> dict[str, Any]:
    from napari_rdl.metrics import EMPTY_MASK_RULE

    part = f", its {settings.part} list" if data.endswith(".json") else ""
    kept = f"ET under {settings.smallest_et} voxels taken away" if settings.smallest_et else "none"
    return {
        "model": model.name,
        "weights_sha256": model.sha256,
        "trained_on": model.card.trained_on,
        "protocol": "Hard Dice of the most probable class, on each patient's own grid; mean over patients. "
        "HD95 in mm. Every modality is encoded alone.",
        "data": data + part,
        "patients": len(evaluation.scores),
        "failed": len(evaluation.failed),
        "post_processing": kept,
        "empty_masks": EMPTY_MASK_RULE,
    }
