"""Who is trained on and who validates."""

from __future__ import annotations

from pathlib import Path

from napari_rdl.cohort.patients import (
    VALIDATION_SEED,
    Patient,
    Split,
    folder_patients,
    folds,
    is_synthetic,
    patients_of,
    phantoms,
    read_split_file,
    shared_names,
    synthetic_patients,
)
from napari_rdl.errors import ConfigError, Remedy
from napari_rdl.training.config import DataConfig


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
        raise ConfigError("There are no training data", Remedy.GIVE_DATA)
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
    if shared := shared_names(split.train, split.validation):
        raise ConfigError(f"{shared[0]} stands among the training and the validation patients of {source}.")
    return split


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
