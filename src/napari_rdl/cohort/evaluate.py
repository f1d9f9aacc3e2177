"""Hard Dice and HD95 of every subset of every patient: the paper's table.

Each patient is encoded once for all its subsets. An evaluation that was interrupted goes on where it was,
and several processes share the patients; see `napari_rdl.cohort.runner`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from napari_rdl.brats import order_modalities, subset_name
from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.case import Case
from napari_rdl.cohort.further_scores import Further, further_scores
from napari_rdl.cohort.patients import Patient, patients_of
from napari_rdl.cohort.runner import digest, inputs_of, run_patients
from napari_rdl.compare.scores import Reference
from napari_rdl.errors import CaseError, ConfigError
from napari_rdl.metrics import EMPTY_MASK_RULE
from napari_rdl.segment import SegmentSettings, encode

if TYPE_CHECKING:
    from napari_rdl.models import Model

SubsetScores = dict[str, dict[str, dict[str, float | None]]]
"""Subset's name -> region -> ``{"dice": float, "hd95": float | None}``, and what else was asked for."""


class EvaluationSettings(BaseModel):
    """What is measured; stands in the report's header."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    modalities: tuple[str, ...] | None = Field(
        None, title="Modalities", description="Use these alone, and their subsets; all by default."
    )
    distances: bool = Field(True, title="HD95", description="Measure surface distances too; slower.")
    scores: tuple[Further, ...] = Field(
        (),
        title="Further scores",
        description="surface: HD95 of both surfaces pooled, and surface Dice at 1 mm; lesions: lesion-wise "
        "Dice and HD95 as in BraTS 2023; calibration: expected calibration error of a region's probability; "
        "without_small_et: Dice once enhancing tumour under 500 voxels is taken away; soft: that of "
        "probabilities.",
    )
    smallest_et: int = Field(
        0,
        ge=0,
        title="Smallest ET",
        description="Enhancing tumour of fewer voxels than this is taken away before scoring (the field's "
        "post-processing uses 500); 0 keeps everything.",
    )
    part: Literal["train", "validation", "test"] = Field(
        "test", title="Part", description="List of a split file to use."
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
    modalities : tuple of str
        Whose subsets were measured.
    settings : EvaluationSettings
        What was measured.
    about : dict
        What the header says.
    """

    scores: dict[str, SubsetScores]
    failed: dict[str, str]
    modalities: tuple[str, ...]
    settings: EvaluationSettings
    about: dict[str, Any] = field(default_factory=dict)


class ScoredPatient(BaseModel):
    """One patient of an evaluation, as its file has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(title="Key", description="Hash of model, settings and the patient's files.")
    patient: str = Field(title="Patient", description="Its name.")
    scores: SubsetScores = Field(title="Scores", description="Subset -> region -> measure -> value.")


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
        Called before each patient; the work within one can be cancelled too.

    Returns
    -------
    Evaluation or None
        None in all but the first of several processes (torchrun, SLURM).

    Raises
    ------
    NapariRdlError
        If data, model or folder do not fit. A patient that fails is listed and the others go on.
    Cancelled
        If `cancelled` answered True; patients that are done are kept.
    """
    from napari_rdl.cohort.report import write_evaluation

    settings = settings or EvaluationSettings()
    known = model.card.network.modalities
    try:
        modalities = known if settings.modalities is None else order_modalities(settings.modalities, known)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    patients = patients_of(data, settings.part)
    if not patients:
        raise ConfigError(f"{data} names no {settings.part} patients.")
    outcome = run_patients(
        patients, _Scoring(model, settings), Path(out), progress=progress, cancelled=cancelled
    )
    if outcome is None:
        return None
    scores = {name: record.scores for name, record in outcome.records.items()}
    evaluation = Evaluation(scores, outcome.failed, modalities, settings)
    evaluation.about.update(_about(data, model, evaluation))
    write_evaluation(evaluation, Path(out))
    return evaluation


def score_case(
    case: Case,
    truth: NDArray[np.uint8],
    model: Model,
    settings: EvaluationSettings,
    cancelled: IsCancelled = never_cancelled,
) -> SubsetScores:
    """Return subset's name -> region -> Dice, HD95 and what else is asked for, of one case, encoded once."""
    wanted = settings.modalities
    names = None if wanted is None else tuple(name for name in wanted if name in case.images)
    if names is not None and not names:
        raise CaseError(f"{case.name} has none of {', '.join(wanted or ())}.")
    representations = encode(case, model, modalities=names, settings=settings.segment, cancelled=cancelled)
    reference = Reference(truth, case.grid, "mask")
    scores: SubsetScores = {}
    for segmentation in representations.combine_all():
        found = reference.score(
            segmentation.labels, distances=settings.distances, smallest_et=settings.smallest_et
        )
        scores[subset_name(segmentation.modalities)] = {
            region: {"dice": score.dice, **({"hd95": score.hd95} if settings.distances else {})}
            for region, score in found.items()
        }
        if settings.scores:
            more = further_scores(
                settings.scores,
                reference,
                segmentation.labels,
                partial(representations.probabilities, segmentation.modalities, cancelled=cancelled),
                smallest_et=settings.smallest_et,
            )
            for region, row in scores[subset_name(segmentation.modalities)].items():
                row.update(more[region])
    return scores


class _Scoring:
    """Scores each patient; see `napari_rdl.cohort.runner.PatientWork`."""

    doing = "Evaluating"
    kind = ScoredPatient

    def __init__(self, model: Model, settings: EvaluationSettings) -> None:
        self._model, self._settings = model, settings
        # What was scored before there were further scores still holds where none is asked for.
        left_out = {"part"} if settings.scores else {"part", "scores"}
        self._shared = digest([model.sha256, settings.model_dump(mode="json", exclude=left_out)])

    def stamp(self, patient: Patient) -> Mapping[str, str]:
        content: list[Any] = [self._shared]
        if patient.folder is None:
            from napari_rdl.phantom import generator_digest

            content += [patient.seed, patient.held_out, generator_digest()]
            content += [] if patient.volume_ml is None else [patient.volume_ml]
        else:
            try:
                content += [(name, sha256) for _, name, sha256 in inputs_of(patient, self._settings.labels)]
            except CaseError:
                # Reading the patient says what is wrong.
                content.append("unreadable")
        return {"key": digest(content)}

    def make(
        self, patient: Patient, stamp: Mapping[str, str], stem: Path, cancelled: IsCancelled
    ) -> ScoredPatient:
        settings = self._settings
        case, truth = patient.read_with_truth(labels=settings.labels, resample=settings.resample)
        scores = score_case(case, truth, self._model, settings, cancelled)
        return ScoredPatient(key=stamp["key"], patient=patient.name, scores=scores)

    def is_whole(self, stem: Path) -> bool:
        return True


def _about(data: str, model: Model, evaluation: Evaluation) -> dict[str, Any]:
    settings = evaluation.settings
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
