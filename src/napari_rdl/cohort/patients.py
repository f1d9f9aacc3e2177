"""Many patients, not read yet: from a folder, from a split file, or synthetic."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from napari_rdl.errors import CaseError, ConfigError, Remedy, first_fault
from napari_rdl.files import fault_of_path, is_folder, parse_json, plain_name, read_bytes

if TYPE_CHECKING:
    from napari_rdl.case import Case

VALIDATION_SEED = 10_000_000
"""Validation phantoms start here, far from every training seed."""

_PHANTOMS = re.compile(r"phantom:([0-9]+)(:held-out)?(?::([0-9]+))?")


@dataclass(frozen=True)
class Patient:
    """One patient, not read yet.

    Attributes
    ----------
    name : str
        Unique within its list.
    folder : Path or None
        Where the files lie; None for a synthetic patient.
    seed : int or None
        Seed of a synthetic patient.
    held_out : bool
        Whether a synthetic patient is drawn from the ranges that are kept aside for benchmarks.
    volume_ml : tuple of float, optional
        Smallest and largest whole tumour of a synthetic patient; None for what its settings have.
    mask : Path, optional
        Labels that stand in the place of the mask among its files, such as corrected ones.
    """

    name: str
    folder: Path | None = None
    seed: int | None = None
    held_out: bool = False
    volume_ml: tuple[float, float] | None = None
    mask: Path | None = None

    @property
    def file_stem(self) -> str:
        """What the names of its own files begin with."""
        return plain_name(self.name)

    def read(self, *, labels: str | None = None, resample: bool = False) -> Case:
        """Return the images, read or made.

        Parameters
        ----------
        labels : str, optional
            Label convention, where names do not say it.
        resample : bool
            Bring modalities to one grid where theirs differ.

        Raises
        ------
        CaseError
            If the files cannot be used.
        """
        from napari_rdl.case import case_from_arrays, load_case

        if self.folder is not None:
            case = load_case(self.folder, labels=labels, resample=resample)
            return case if self.mask is None else with_mask(case, self.mask)
        images, affine, _ = self._phantom()
        return case_from_arrays(images, affine, name=self.name)

    def read_with_truth(
        self, *, labels: str | None = None, resample: bool = False
    ) -> tuple[Case, NDArray[np.uint8]]:
        """Return the images and the true class indices (X, Y, Z).

        Raises
        ------
        CaseError
            If the files cannot be used, or there is no mask.
        """
        from napari_rdl.case import case_from_arrays

        if self.folder is None:
            images, affine, classes = self._phantom()
            return case_from_arrays(images, affine, name=self.name), classes
        case = self.read(labels=labels, resample=resample)
        truth = case.truth()
        if truth is None:
            raise CaseError(f"{self.folder} has no mask to compare with (such as {case.name}_seg.nii.gz).")
        return case, truth

    def _phantom(self) -> tuple[dict[str, NDArray], NDArray[np.float64], NDArray[np.uint8]]:
        from napari_rdl.phantom import PhantomSettings, held_out_settings, make_phantom

        assert self.seed is not None
        settings = held_out_settings() if self.held_out else PhantomSettings()
        if self.volume_ml is not None:
            tumour = settings.tumour.model_copy(update={"volume_ml": self.volume_ml})
            settings = settings.model_copy(update={"tumour": tumour})
        phantom = make_phantom(self.seed, settings=settings)
        return phantom.images, phantom.affine, phantom.classes


def with_mask(case: Case, mask: Path) -> Case:
    """Return a case whose mask is another file, in the convention that the record beside it names."""
    from napari_rdl.case.label_record import record_of

    record = record_of(mask)
    convention = record.convention if record is not None else case.convention
    known = record is not None or case.convention_known
    return replace(case, mask_file=mask, convention=convention, convention_known=known)


def is_synthetic(source: str) -> bool:
    """Return whether a source names synthetic patients, as ``phantom:N`` or ``phantom:N:held-out:FIRST``."""
    return _PHANTOMS.fullmatch(source) is not None


def patients_of(source: str, part: str = "test") -> tuple[Patient, ...]:
    """Return all patients of a source; of a split file, those of `part`.

    Parameters
    ----------
    source : str
        A folder of patients, a split file (``.json``), a worklist, whose done patients with their corrected
        labels are meant, or synthetic patients (``phantom:N``).
    part : str
        ``train``, ``validation`` or ``test``.

    Raises
    ------
    ConfigError
        If the source is not there.
    """
    if is_synthetic(source):
        return synthetic_patients(source, VALIDATION_SEED)
    if source.endswith(".json"):
        from napari_rdl.cohort.worklist import finished_patients
        from napari_rdl.cohort.worklist_file import is_worklist

        if is_worklist(source):
            return finished_patients(source)
        split = read_split_file(Path(source))
        return {"train": split.train, "validation": split.validation, "test": split.test}[part]
    return folder_patients(Path(source))


def folder_patients(folder: str | Path) -> tuple[Patient, ...]:
    """Return the patients below a folder; a folder that is one patient gives that one.

    Raises
    ------
    ConfigError
        If there is no such folder, or no patient in it.
    """
    from napari_rdl.case import find_patients, is_patient_folder

    folder = Path(folder)
    if not is_folder(folder):
        raise ConfigError(f"There is no folder {folder}", Remedy.GIVE_FOLDER)
    found = [folder] if is_patient_folder(folder) else find_patients(folder)
    if not found:
        raise ConfigError(
            f"{folder} holds no patients (such as BraTS20_Training_001 with its .nii.gz files)",
            Remedy.GIVE_FOLDER,
        )
    names = [Path(os.path.abspath(path)).name for path in found]
    if len(set(names)) < len(names):
        names = [path.relative_to(folder).as_posix() for path in found]
    # Bytes that are no text cannot stand in a record.
    names = ["/".join(map(plain_name, name.split("/"))) for name in names]
    return tuple(Patient(name, folder=path) for name, path in zip(names, found, strict=True))


def synthetic_patients(
    source: str, first: int, volume_ml: tuple[float, float] | None = None
) -> tuple[Patient, ...]:
    """Return the synthetic patients that a source names, such as ``phantom:24:held-out:9000``.

    Parameters
    ----------
    source : str
        ``phantom:N``, ``phantom:N:held-out``, or either with ``:FIRST``, the first one's seed.
    first : int
        Seed of the first one where the source does not name it.
    volume_ml : tuple of float, optional
        Smallest and largest whole tumour.

    Raises
    ------
    ConfigError
        If the source names none.
    """
    match = _PHANTOMS.fullmatch(source)
    if match is None:
        raise ConfigError(f"{source!r} names no synthetic patients as phantom:N does.")
    first = first if match[3] is None else int(match[3])
    return phantoms(int(match[1]), first, held_out=match[2] is not None, volume_ml=volume_ml)


def phantoms(
    count: int, first: int, *, held_out: bool = False, volume_ml: tuple[float, float] | None = None
) -> tuple[Patient, ...]:
    """Return `count` synthetic patients with consecutive seeds."""
    if count < 1:
        raise ConfigError("phantom:N needs at least one patient.")
    prefix = "heldout" if held_out else "phantom"
    return tuple(
        Patient(f"{prefix}_{seed:08d}", seed=seed, held_out=held_out, volume_ml=volume_ml)
        for seed in range(first, first + count)
    )


@dataclass(frozen=True)
class Split:
    """The patients that a split file names, and those below its root that it does not."""

    train: tuple[Patient, ...]
    validation: tuple[Patient, ...]
    test: tuple[Patient, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)


class _SplitFile(BaseModel):
    """What a split file holds."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    root: str
    train: list[str] = []
    validation: list[str] = []
    test: list[str] = []


def read_split_file(path: Path) -> Split:
    """Read ``{"root": FOLDER, "train": [...], "validation": [...], "test": [...]}``.

    Names are patient folders, anywhere below the root; the root is relative to the file.

    Raises
    ------
    ConfigError
        If the file cannot be read, or names a patient that is not there, or one twice.
    """
    content = _read_split_content(path)
    if fault := fault_of_path(content.root):
        raise ConfigError(f'The "root" of the split file {path} is no folder: {fault}.')
    root = (path.parent / content.root).resolve()
    if root == Path(root.anchor):
        raise ConfigError(
            f'The "root" of the split file {path} is {root}, all of the disk: name the patients\' folder.'
        )
    known = {patient.name: patient for patient in folder_patients(root)}
    by_folder = {patient.folder.name: patient for patient in known.values() if patient.folder}
    chosen: dict[str, tuple[Patient, ...]] = {}
    seen: set[str] = set()
    for part in ("train", "validation", "test"):
        rows = []
        for name in getattr(content, part):
            patient = known.get(name) or by_folder.get(name)
            if patient is None:
                raise ConfigError(f"The split file {path} names {name!r}, which is not below {root}.")
            if patient.name in seen:
                raise ConfigError(f"The split file {path} names {name!r} twice.")
            seen.add(patient.name)
            rows.append(patient)
        chosen[part] = tuple(rows)
    unused = {name: "not named in the split file" for name in known if name not in seen}
    return Split(chosen["train"], chosen["validation"], chosen["test"], unused)


def _read_split_content(path: Path) -> _SplitFile:
    try:
        content = parse_json(read_bytes(path))
    except OSError as error:
        raise ConfigError(f"The split file {path} cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise ConfigError(f"The split file {path} is no JSON ({error}).") from None
    try:
        return _SplitFile.model_validate(content)
    except ValidationError as error:
        where, what = first_fault(error)
        raise ConfigError(
            f'The split file {path} must hold "root" and lists of names "train", "validation", "test" '
            f"({where or 'the whole file'}: {what})."
        ) from None
