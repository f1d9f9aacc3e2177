"""Who is trained on and who validates: folders, split files and synthetic patients."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_rdl.errors import ConfigError
from napari_rdl.training.config import DataConfig

VALIDATION_SEED = 10_000_000
"""Validation phantoms start here, far from every training seed."""

_PHANTOMS = re.compile(r"phantom:(\d+)(:held-out)?(?::(\d+))?")


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
    """

    name: str
    folder: Path | None = None
    seed: int | None = None
    held_out: bool = False
    volume_ml: tuple[float, float] | None = None


@dataclass(frozen=True)
class Split:
    """The patients of a run, and those left out with the reason; `broken` of them cannot be used."""

    train: tuple[Patient, ...]
    validation: tuple[Patient, ...]
    test: tuple[Patient, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def record(self) -> dict[str, object]:
        """Return what a run folder keeps of it."""
        return {
            "train": [patient.name for patient in self.train],
            "validation": [patient.name for patient in self.validation],
            "test": [patient.name for patient in self.test],
            "left_out": self.left_out,
        }


def is_synthetic(source: str) -> bool:
    """Return whether a source names synthetic patients, as ``phantom:N`` or ``phantom:N:held-out:FIRST``."""
    return _PHANTOMS.fullmatch(source) is not None


def split_patients(data: DataConfig, seed: int, validation_count: int) -> Split:
    """Return who trains and who validates.

    Parameters
    ----------
    data : DataConfig
        Source, validation source, fold.
    seed : int
        Seed of a folder's k-fold split.
    validation_count : int
        How many synthetic patients validate where the data do not say it.

    Raises
    ------
    ConfigError
        If a source is not there, or names a patient that is not.
    """
    if not data.source:
        raise ConfigError(
            "There are no training data: give --data a folder of patients, a split file or phantom:N."
        )
    source = data.source
    if is_synthetic(source):
        train = synthetic_patients(source, data.phantom_seed)
        split = Split(train, phantoms(validation_count, VALIDATION_SEED))
    elif source.endswith(".json"):
        split = read_split_file(Path(source))
    else:
        split = _folder_split(folder_patients(Path(source)), data, seed)
    if data.validation is not None:
        validating = patients_of(data.validation, "validation")
        used = {patient.name for patient in validating}
        left_out = {name: reason for name, reason in split.left_out.items() if name not in used}
        split = Split(split.train, validating, split.test, left_out)
    if not split.train:
        raise ConfigError(f"{source} leaves no patient to train on.")
    shared = sorted({p.name for p in split.train} & {p.name for p in split.validation})
    if shared:
        raise ConfigError(f"{shared[0]} stands among the training and the validation patients of {source}.")
    return split


def patients_of(source: str, part: str = "test") -> tuple[Patient, ...]:
    """Return all patients of a source; of a split file, those of `part`.

    Raises
    ------
    ConfigError
        If the source is not there.
    """
    if is_synthetic(source):
        return synthetic_patients(source, VALIDATION_SEED)
    if source.endswith(".json"):
        split = read_split_file(Path(source))
        return {"train": split.train, "validation": split.validation, "test": split.test}[part]
    return folder_patients(Path(source))


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


def folder_patients(folder: Path) -> tuple[Patient, ...]:
    """Return the patients below a folder; a folder that is one patient gives that one.

    Raises
    ------
    ConfigError
        If there is no such folder, or no patient in it.
    """
    from napari_rdl.case import find_patients, is_patient_folder

    if not folder.is_dir():
        raise ConfigError(
            f"There is no folder {folder}: give --data a folder of patients, a split file or phantom:N."
        )
    found = [folder] if is_patient_folder(folder) else find_patients(folder)
    if not found:
        raise ConfigError(
            f"{folder} holds no patient folders (such as BraTS20_Training_001 with its .nii.gz files)."
        )
    return _named(found, folder)


def read_split_file(path: Path) -> Split:
    """Read ``{"root": FOLDER, "train": [...], "validation": [...], "test": [...]}``.

    Names are patient folders, anywhere below the root; the root is relative to the file.

    Raises
    ------
    ConfigError
        If the file cannot be read, or names a patient that is not there, or one twice.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"The split file {path} cannot be read ({error.strerror}).") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The split file {path} is no JSON ({error}).") from None
    parts = ("train", "validation", "test")
    if (
        not isinstance(content, dict)
        or not isinstance(content.get("root"), str)
        or set(content) - {"root", *parts}
    ):
        raise ConfigError(f'The split file {path} must hold "root" and lists "train", "validation", "test".')
    root = (path.parent / content["root"]).resolve()
    known = {patient.name: patient for patient in folder_patients(root)}
    by_folder = {patient.folder.name: patient for patient in known.values() if patient.folder}
    chosen: dict[str, tuple[Patient, ...]] = {}
    seen: set[str] = set()
    for part in parts:
        rows = []
        for name in content.get(part, []):
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


def folds(count: int, parts: int, seed: int) -> list[list[int]]:
    """Cut the numbers 0 ... count - 1 into `parts` seeded, disjoint, nearly equal folds."""
    order = np.random.default_rng([seed, 0]).permutation(count)
    return [sorted(int(index) for index in order[part::parts]) for part in range(parts)]


def _folder_split(patients: tuple[Patient, ...], data: DataConfig, seed: int) -> Split:
    if data.validation is not None:
        return Split(patients, ())
    if len(patients) < data.folds:
        raise ConfigError(
            f"{data.source} holds {len(patients)} patients, fewer than data.folds ({data.folds}): "
            "set fewer folds or give data.validation."
        )
    held = set(folds(len(patients), data.folds, seed)[data.fold])
    return Split(
        tuple(patient for index, patient in enumerate(patients) if index not in held),
        tuple(patients[index] for index in sorted(held)),
    )


def _named(found: Iterable[Path], root: Path) -> tuple[Patient, ...]:
    found = list(found)
    names = [path.name for path in found]
    if len(set(names)) < len(names):
        names = [path.relative_to(root).as_posix() for path in found]
    return tuple(Patient(name, folder=path) for name, path in zip(names, found, strict=True))
