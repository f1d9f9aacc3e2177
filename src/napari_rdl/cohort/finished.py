"""A study that was written to a folder: opened again, patient by patient, worst first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_rdl.brats import REGIONS, all_subsets
from napari_rdl.case import Case, load_case
from napari_rdl.compare.agreement import Place
from napari_rdl.compare.label_stack import LabelStack
from napari_rdl.compare.other_labels import expert_reference
from napari_rdl.compare.shapley import ModalityWorth
from napari_rdl.compare.study import SubsetRow, SubsetStudy
from napari_rdl.errors import CaseError

INDEX = "study.json"
"""The file that makes a folder a finished study."""

PATIENTS = "patients"
"""The folder within it that holds each patient's files."""

_Content = TypeVar("_Content", bound=BaseModel)


class StudiedPatient(BaseModel):
    """One patient of a study, as its file has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(title="Key", description="Hash of model and settings.")
    inputs: str = Field(title="Inputs", description="Hash of the patient's files.")
    name: str = Field(title="Name", description="Unique within the study.")
    folder: str = Field(title="Folder", description="Where the patient's files lay.")
    modalities: tuple[str, ...] = Field(title="Modalities", description="What the patient has.")
    shape: tuple[int, int, int] = Field(title="Shape", description="Voxels of the case's grid.")
    reference: Literal["truth", "full"] | None = Field(
        title="Reference", description="What the rows are compared with; none for volumes alone."
    )
    remark: str | None = Field(title="Remark", description="What a reader must know.")
    rows: tuple[SubsetRow, ...] = Field(title="Rows", description="One for each subset.")
    worth: ModalityWorth = Field(title="Worth", description="Shapley values of the modalities.")
    places: tuple[Place, ...] = Field(title="Places", description="Where the subsets disagree most.")

    @property
    def stem(self) -> str:
        """Name of the patient's files without ending."""
        return file_stem(self.name)

    @property
    def score(self) -> float | None:
        """Mean Dice over the regions that are not empty in the reference; None without one.

        That of all modalities together; where they are themselves the reference, the mean of the
        other subsets.
        """
        rows = self.rows[-1:] if self.reference == "truth" or len(self.rows) == 1 else self.rows[:-1]
        values = [score.dice for row in rows for score in row.scores.values() if not score.reference_empty]
        return float(np.mean(values)) if values else None


class StudyIndex(BaseModel):
    """What `study.json` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(title="Key", description="Hash of model and settings, the same in all its patients.")
    about: dict[str, Any] = Field(title="About", description="What the report's header says.")
    settings: dict[str, Any] = Field(title="Settings", description="As asked for.")
    modalities: tuple[str, ...] = Field(title="Modalities", description="All that any patient has.")
    patients: tuple[str, ...] = Field(title="Patients", description="Names, worst first.")
    failed: dict[str, str] = Field(title="Failed", description="Patient -> why it has no study.")


@dataclass(frozen=True)
class FinishedStudy:
    """A study of many patients.

    Attributes
    ----------
    folder : Path
    about : dict
        What the report's header says.
    settings : dict
        As asked for.
    modalities : tuple of str
        All that any patient has.
    patients : tuple of StudiedPatient
        Worst first: by `StudiedPatient.score`; those without a reference last, by how much their
        subsets disagree.
    failed : dict
        Patient -> why it has no study.
    """

    folder: Path
    about: dict[str, Any]
    settings: dict[str, Any]
    modalities: tuple[str, ...]
    patients: tuple[StudiedPatient, ...]
    failed: dict[str, str]

    @property
    def subsets(self) -> tuple[tuple[str, ...], ...]:
        """All subsets of the modalities that any patient has, in the paper's order."""
        return all_subsets(self.modalities)

    def picture(self, patient: StudiedPatient) -> Path:
        """Return the PNG of a patient."""
        return self.folder / PATIENTS / f"{patient.stem}.png"

    def labels(self, patient: StudiedPatient) -> LabelStack:
        """Read the labels of all of a patient's subsets; nothing is encoded.

        Raises
        ------
        CaseError
            If the file has gone or is damaged.
        """
        path = self.folder / PATIENTS / f"{patient.stem}.npz"
        stack = LabelStack.load(path)
        if stack.shape != patient.shape or stack.modalities != patient.modalities:
            raise CaseError(f"{path} belongs to another patient: run the study again.")
        return stack

    def load_case(self, patient: StudiedPatient) -> Case:
        """Read a patient's images again.

        Raises
        ------
        CaseError
            If they have gone, or lie on another grid than they did.
        """
        case = load_case(
            patient.folder, labels=self.settings.get("labels"), resample=self.settings.get("resample", False)
        )
        if case.grid.shape != patient.shape:
            raise CaseError(f"{patient.folder} holds other images than were studied: run the study again.")
        return case

    def open(self, patient: StudiedPatient, case: Case) -> SubsetStudy:
        """Return a patient's study, with labels and distances as they were measured.

        Parameters
        ----------
        patient : StudiedPatient
        case : Case
            As `load_case` returns it; the expert's mask is read from it.

        Raises
        ------
        CaseError
            If labels or mask have gone or do not fit.
        """
        study = SubsetStudy(case.name, case.grid, self.labels(patient))
        if patient.reference == "full":
            study.set_reference(study.full_reference())
        elif patient.reference == "truth":
            study.set_reference(expert_reference(case))
        study.adopt_distances(patient.rows)
        return study


def load_study(folder: str | Path) -> FinishedStudy:
    """Open a finished study.

    Parameters
    ----------
    folder : str or Path
        What was given to ``napari-rdl study --out``.

    Raises
    ------
    CaseError
        If there is none, it was not finished, or a file of it is damaged.
    """
    folder = Path(folder)
    path = folder / INDEX
    if not path.is_file():
        raise CaseError(
            f"{folder} holds no finished study: run `napari-rdl study` to its end with --out {folder}."
        )
    index = _read(path, StudyIndex)
    patients = [
        _read(folder / PATIENTS / f"{file_stem(name)}.json", StudiedPatient) for name in index.patients
    ]
    if any(patient.key != index.key for patient in patients):
        raise CaseError(f"{folder} was begun anew with another model or settings: run that study to its end.")
    return FinishedStudy(
        folder, index.about, index.settings, index.modalities, tuple(patients), dict(index.failed)
    )


def worst_first(patients: list[StudiedPatient]) -> list[StudiedPatient]:
    """Return the patients by their score, those without one last, by how much their subsets disagree."""

    def badness(patient: StudiedPatient) -> tuple[bool, float]:
        if patient.score is not None:
            return False, patient.score
        return True, -sum(place.disagreement_ml for place in patient.places)

    return sorted(patients, key=badness)


def file_stem(name: str) -> str:
    """Return the name of a patient's files without ending."""
    return name.replace("/", "-")


def pooled_scores(study: FinishedStudy) -> dict[str, dict[str, dict[str, dict[str, float | None]]]]:
    """Return patient -> subset's name -> region -> measure -> value, for `napari_rdl.cohort.pooled.pool`.

    ``volume_ml`` is there for every patient, the others for those with a reference.
    """
    scores: dict[str, dict[str, dict[str, dict[str, float | None]]]] = {}
    for patient in study.patients:
        scores[patient.name] = {}
        for row in patient.rows:
            by_region: dict[str, dict[str, float | None]] = {}
            for region in REGIONS:
                by_region[region] = {"volume_ml": row.volumes_ml[region]}
                if score := row.scores.get(region):
                    by_region[region] |= {
                        "dice": score.dice,
                        "volume_error_ml": score.volume_error_ml,
                        "false_positive_ml": score.false_positive_ml,
                        "false_negative_ml": score.false_negative_ml,
                    }
                    if score.hd95_measured:
                        by_region[region]["hd95"] = score.hd95
            scores[patient.name][row.name] = by_region
    return scores


def _read(path: Path, kind: type[_Content]) -> _Content:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise CaseError(f"{path} is missing or damaged: run the study again with the same --out.") from error
