"""A study that was written to a folder: opened again, patient by patient, worst first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from napari_rdl.brats import all_subsets
from napari_rdl.case import Case, load_case
from napari_rdl.cohort.records import INDEX, StudiedPatient, StudyIndex, StudySettings
from napari_rdl.cohort.runner import PATIENTS, record_path
from napari_rdl.compare.label_stack import LabelStack
from napari_rdl.compare.other_labels import expert_reference
from napari_rdl.compare.study import SubsetStudy
from napari_rdl.errors import CaseError, Remedy
from napari_rdl.files import is_file, plain_name, read_bytes

_Content = TypeVar("_Content", bound=BaseModel)


@dataclass(frozen=True)
class FinishedStudy:
    """A study of many patients.

    Attributes
    ----------
    folder : Path
    about : dict
        What the report's header says.
    settings : StudySettings
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
    settings: StudySettings
    modalities: tuple[str, ...]
    patients: tuple[StudiedPatient, ...]
    failed: dict[str, str]

    @property
    def subsets(self) -> tuple[tuple[str, ...], ...]:
        """All subsets of the modalities that any patient has, in the paper's order."""
        return all_subsets(self.modalities)

    def picture(self, patient: StudiedPatient) -> Path:
        """Return the PNG of a patient."""
        return self._file(patient, ".png")

    def labels(self, patient: StudiedPatient) -> LabelStack:
        """Read the labels of all of a patient's subsets; nothing is encoded.

        Raises
        ------
        CaseError
            If the file has gone or is damaged.
        """
        path = self._file(patient, ".npz")
        stack = LabelStack.load(path)
        if stack.shape != patient.shape or stack.modalities != patient.modalities:
            raise CaseError(f"{path} belongs to another patient", Remedy.REPEAT_STUDY, folder=self.folder)
        return stack

    def load_case(self, patient: StudiedPatient) -> Case:
        """Read a patient's images again.

        Raises
        ------
        CaseError
            If they have gone, or lie on another grid than they did.
        """
        case = load_case(patient.folder, labels=self.settings.labels, resample=self.settings.resample)
        if case.grid.shape != patient.shape:
            raise CaseError(
                f"{patient.folder} holds other images than were studied",
                Remedy.REPEAT_STUDY,
                folder=self.folder,
            )
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

    def _file(self, patient: StudiedPatient, ending: str) -> Path:
        return self.folder / PATIENTS / f"{patient.stem}{ending}"


def load_study(folder: str | Path) -> FinishedStudy:
    """Open a finished study.

    Parameters
    ----------
    folder : str or Path
        What the study was written to.

    Raises
    ------
    CaseError
        If there is none, it was not finished, or a file of it is damaged.
    """
    folder = Path(folder)
    path = folder / INDEX
    if not is_file(path):
        raise CaseError(f"{folder} holds no finished study", Remedy.FINISH_STUDY, folder=folder)
    index = _read(path, StudyIndex, folder)
    patients = [
        _read(record_path(folder, plain_name(name)), StudiedPatient, folder) for name in index.patients
    ]
    if any(patient.key != index.key for patient in patients):
        raise CaseError(
            f"{folder} was begun anew with another model or settings", Remedy.FINISH_STUDY, folder=folder
        )
    return FinishedStudy(
        folder, index.about, index.settings, index.modalities, tuple(patients), dict(index.failed)
    )


def _read(path: Path, kind: type[_Content], folder: Path) -> _Content:
    try:
        return kind.model_validate_json(read_bytes(path, 2**28))
    except (OSError, ValidationError) as error:
        raise CaseError(f"{path} is missing or damaged", Remedy.REPEAT_STUDY, folder=folder) from error
