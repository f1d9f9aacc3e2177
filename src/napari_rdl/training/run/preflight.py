"""What is settled before the first step: the weights to begin with, the patients, absolute paths."""

from __future__ import annotations

import logging
from pathlib import Path

from napari_rdl.callbacks import IsCancelled, Progress
from napari_rdl.cohort.patients import Patient, Split, is_synthetic
from napari_rdl.errors import Cancelled, ConfigError
from napari_rdl.models import Model, load_model
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.data.cache import PatientCache, prepare_all
from napari_rdl.training.data.split import split_patients

logger = logging.getLogger(__name__)

SHIPPED = "shipped"
"""What `start_from` calls the bundled weights."""


def starting_model(config: TrainingConfig) -> Model | None:
    """Return the checkpoint that a run begins with, if it names one.

    Raises
    ------
    CheckpointError
        If it cannot be read.
    ConfigError
        If its architecture is not the one that the run would train. One thing may differ: a gated
        fusion may begin with weights of the mean, since its gate begins as the mean.
    """
    if config.start_from is None:
        return None
    model = load_model(None if config.start_from == SHIPPED else config.start_from)
    theirs, ours = model.card.network.model_dump(), config.network.model_dump()
    for name, value in theirs.items():
        if ours[name] != value and (name, value) != ("fusion", "mean"):
            raise ConfigError(
                f"start_from: {model.path} has network.{name} = {value} and the run {ours[name]}: train the "
                "architecture of the checkpoint, or start from random weights."
            )
    return model


def check_patients(
    config: TrainingConfig, cache: PatientCache, progress: Progress, cancelled: IsCancelled
) -> tuple[Split, bool]:
    """Prepare every patient that has files, so that a broken one is named now and not mid-run.

    Returns
    -------
    split : Split
        Without the broken ones, if they are to be left out.
    some_missing : bool
        Whether a patient lacks a modality.

    Raises
    ------
    Cancelled
        If asked to; nothing but prepared patients is written.
    ConfigError
        If patients cannot be used and `data.skip_broken` is off, or if none is left.
    """
    split = split_patients(config.data, config.seed, config.validation.patients)
    real = [patient for patient in (*split.train, *split.validation) if patient.folder is not None]
    broken: dict[str, str] = {}
    some_missing = False
    for done, (patient, present, reason) in enumerate(prepare_all(cache, real, config.data.workers)):
        if cancelled():
            raise Cancelled
        progress(done, len(real), f"Preparing {patient.name}")
        if reason is not None:
            broken[patient.name] = reason
        else:
            cache.keep(patient)
        some_missing |= not present
    if broken and not config.data.skip_broken:
        first, reason = next(iter(broken.items()))
        others = f" (and {len(broken) - 1} more: {', '.join(list(broken)[1:6])})" if len(broken) > 1 else ""
        raise ConfigError(
            f"The patient {first} cannot be used{others}: {reason.rstrip('.')}. Mend it, or leave such "
            "patients out with --set data.skip_broken=true."
        )

    def usable(patients: tuple[Patient, ...]) -> tuple[Patient, ...]:
        return tuple(patient for patient in patients if patient.name not in broken)

    for name, reason in broken.items():
        logger.warning("%s is left out: %s", name, reason)
    kept = Split(
        usable(split.train), usable(split.validation), split.test, {**split.left_out, **broken}, broken
    )
    if not kept.train:
        raise ConfigError(f"{config.data.source} has no usable patient to train on.")
    return kept, some_missing


def with_absolute_paths(config: TrainingConfig) -> TrainingConfig:
    """Return the configuration with paths that hold from any folder, since a run may be resumed elsewhere."""
    data = config.data
    paths = {name: getattr(data, name) for name in ("source", "validation", "cache")}
    absolute = {name: _absolute(path) for name, path in paths.items() if path and not is_synthetic(path)}
    start = config.start_from
    if start not in (None, SHIPPED):
        start = _absolute(start)
    return config.model_copy(update={"start_from": start, "data": data.model_copy(update=absolute)})


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())
