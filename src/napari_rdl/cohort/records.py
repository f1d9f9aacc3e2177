"""What a study leaves in its folder: a file for each patient, and an index."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from napari_rdl.compare.agreement import Place
from napari_rdl.compare.shapley import ModalityWorth
from napari_rdl.compare.study import SubsetRow
from napari_rdl.files import plain_name

INDEX = "study.json"
"""The file that makes a folder a finished study."""


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


class StudiedPatient(BaseModel):
    """One patient of a study, as its file has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(title="Key", description="Hash of model and settings.")
    inputs: str = Field(title="Inputs", description="Hash of the patient's files.")
    name: str = Field(title="Name", description="Unique within the study.")
    folder: str = Field(title="Folder", description="Where the patient's files lay.")
    modalities: tuple[str, ...] = Field(max_length=8, title="Modalities", description="What the patient has.")
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
        return plain_name(self.name)

    @property
    def score(self) -> float | None:
        """Mean Dice over the regions that are not empty in the reference; None without one.

        That of all modalities together; where they are themselves the reference, the mean of the
        other subsets.
        """
        rows = self.rows[-1:] if self.reference == "truth" or len(self.rows) == 1 else self.rows[:-1]
        values = [score.dice for row in rows for score in row.scores.values() if not score.reference_empty]
        return float(np.mean(values)) if values else None

    @property
    def score_title(self) -> str:
        """The score in words."""
        return "no reference" if self.score is None else f"mean Dice {100 * self.score:.1f} %"


class StudyIndex(BaseModel):
    """What `study.json` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(title="Key", description="Hash of model and settings, the same in all its patients.")
    about: dict[str, Any] = Field(title="About", description="What the report's header says.")
    settings: StudySettings = Field(title="Settings", description="As asked for.")
    modalities: tuple[str, ...] = Field(
        max_length=8, title="Modalities", description="All that any patient has."
    )
    patients: tuple[str, ...] = Field(title="Patients", description="Names, worst first.")
    failed: dict[str, str] = Field(title="Failed", description="Patient -> why it has no study.")


def worst_first(patients: Iterable[StudiedPatient]) -> list[StudiedPatient]:
    """Return the patients by their score, those without one last, by how much their subsets disagree."""

    def badness(patient: StudiedPatient) -> tuple[bool, float]:
        if patient.score is not None:
            return False, patient.score
        return True, -sum(place.disagreement_ml for place in patient.places)

    return sorted(patients, key=badness)
