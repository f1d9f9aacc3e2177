"""What is settled before the first step, once for every way to start: weights, patients, device."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lightning.fabric import Fabric

from napari_rdl.callbacks import IsCancelled, Progress
from napari_rdl.cohort.patients import Patient, is_synthetic
from napari_rdl.errors import Cancelled, ConfigError, Remedy
from napari_rdl.files import is_there
from napari_rdl.models import Model, bundled_models, load_model
from napari_rdl.training.config import SourceConfig, TrainingConfig
from napari_rdl.training.data.cache import PatientCache
from napari_rdl.training.data.crops import CropDataset, StepSampler, crop_loader
from napari_rdl.training.data.making import Maker, ReadyPatients, make_all, processes_of
from napari_rdl.training.data.resident import ResidentCrops
from napari_rdl.training.data.sources import Patients, choose_patients
from napari_rdl.training.data.visits import Visits
from napari_rdl.training.step.hardware import make_fabric
from napari_rdl.training.step.schedule import Length, steps_per_epoch
from napari_rdl.training.step.stepper import Stepper
from napari_rdl.training.step.trainer import Batches, Record, Trainer
from napari_rdl.training.step.validate import Validator

logger = logging.getLogger(__name__)

FUSIONS = ("mean", "gated", "deep_sets")
"""Each begins as the one before it."""

FIRST_MADE = 16
"""A run whose synthetic patients are made while it goes on begins with so many of each source."""


@dataclass(frozen=True)
class Setup:
    """What a run is made of: its patients are checked, and its device is there.

    Attributes
    ----------
    config : TrainingConfig
        Resolved.
    patients : Patients
        Without the broken ones, if they are to be left out.
    cache : PatientCache
        Where they are prepared.
    fabric : Fabric
        Launched.
    start : Model or None
        Whose weights the run begins with.
    """

    config: TrainingConfig
    patients: Patients
    cache: PatientCache
    fabric: Fabric
    start: Model | None

    @property
    def length(self) -> Length:
        """When the run ends."""
        return Length.of(self.config, len(self.patients.train))

    def stepper(self) -> Stepper:
        """Return the network with its losses and its optimiser."""
        return Stepper(self.config, self.fabric, self.start)

    def batches(self) -> Batches:
        """Return what makes this process's batches."""
        dataset = CropDataset(self.config, self.patients.sources, self.cache)
        rank = self.fabric.global_rank
        if self.config.data.resident_gb:
            resident = ResidentCrops(dataset, self.fabric.device)
            return lambda first, until: resident.batches(StepSampler(self.config, first, until, rank))
        return lambda first, until: crop_loader(dataset, StepSampler(self.config, first, until, rank))

    def trainer(self, record: Record) -> Trainer:
        """Return the run, before its first step."""
        # What restores images has no labels to be scored by.
        scored = self.patients.validation if self.config.method.stage == "segment" else []
        validating = scored[: self.config.validation.patients]
        return Trainer(
            self.config,
            self.stepper(),
            self.batches(),
            Validator(self.config, validating, self.cache) if validating else None,
            record,
            self.length,
            steps_per_epoch(self.config, len(self.patients.train)),
        )

    @contextmanager
    def making(self) -> Iterator[Maker | None]:
        """Make synthetic patients while the block runs, where so configured; one process a machine does."""
        missing = _growing(self.config, self.patients, self.cache)
        if not missing or self.fabric.local_rank:
            yield None
            return
        logger.info("%d synthetic patients are made while training goes on.", len(missing))
        with Maker(self.cache, missing, processes_of(self.config.data)) as maker:
            yield maker


def set_up(
    config: TrainingConfig,
    start: Model | None,
    progress: Progress,
    cancelled: IsCancelled,
    *,
    recorded: Callable[[Patients], None] | None = None,
    steps: int | None = None,
) -> Setup:
    """Check the patients, prepare whom the run will visit, and launch the device.

    Parameters
    ----------
    config : TrainingConfig
        Resolved.
    start : Model, optional
        Whose weights the run begins with.
    progress, cancelled : callable
        Called while patients are prepared.
    recorded : callable, optional
        Called with the patients before anything is launched; raises if they are the wrong ones.
    steps : int, optional
        How many optimiser steps will be taken where not the whole run is.

    Raises
    ------
    NapariRdlError
        If patients or device do not fit.
    """
    cache = PatientCache(config.data, config.network.modalities)
    patients, some_missing = check_patients(config, cache, progress, cancelled, steps=steps)
    if recorded is not None:
        recorded(patients)
    return Setup(config, patients, cache, make_fabric(config, some_missing=some_missing), start)


def starting_model(config: TrainingConfig) -> Model | None:
    """Return the checkpoint that a run begins with, if it names one.

    Raises
    ------
    CheckpointError
        If it cannot be read.
    ConfigError
        If its architecture is not the one that the run would train. One thing may differ: the fusion
        may be a richer one than the checkpoint's, since each begins as what it adds to.
    """
    if config.start_from is None:
        return None
    model = load_model(config.start_from)
    if model.card.method != config.method.name:
        raise ConfigError(
            f"start_from: {model.path} is of the method {model.card.method} and the run of "
            f"{config.method.name}: train the method of the checkpoint, or start from random weights."
        )
    theirs, ours = model.card.network.model_dump(), config.architecture.model_dump()
    for name, value in theirs.items():
        richer = name == "fusion" and FUSIONS.index(value) < FUSIONS.index(ours[name])
        if (
            ours[name] != value
            and not richer
            and not (name == "embedding" and theirs["fusion"] != "deep_sets")
        ):
            raise ConfigError(
                f"start_from: {model.path} has network.{name} = {value} and the run {ours[name]}: train the "
                "architecture of the checkpoint, or start from random weights."
            )
    return model


def check_patients(
    config: TrainingConfig,
    cache: PatientCache,
    progress: Progress,
    cancelled: IsCancelled,
    *,
    steps: int | None = None,
) -> tuple[Patients, bool]:
    """Prepare whom the run will visit, so that a broken patient is named now and the network never waits.

    Every patient that has files is read. Of synthetic ones those are made whom the run's steps, or the
    first `steps` of them, visit; where they are made while training goes on, the first ones only.

    Returns
    -------
    patients : Patients
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
    chosen = choose_patients(config.data, config.seed, config.validation.patients)
    wanted = [patient for patient in (*chosen.train, *chosen.validation) if patient.folder is not None]
    if steps is None:
        validating = chosen.validation[: config.validation.patients]
        wanted += [patient for patient in validating if patient.folder is None]
    wanted += _to_visit(config, chosen, steps)
    reasons: dict[Patient, str] = {}
    some_missing = False
    for done, made in enumerate(make_all(cache, wanted, processes_of(config.data))):
        if cancelled():
            raise Cancelled
        progress(done, len(wanted), f"Preparing {made.patient.name}")
        if made.reason is not None:
            reasons[made.patient] = made.reason
        elif made.patient.folder is not None:
            cache.keep(made.patient)
        some_missing |= not made.whole
    broken = {patient.name: reasons[patient] for patient in wanted if patient in reasons}
    if broken and not config.data.skip_broken:
        first, reason = next(iter(broken.items()))
        others = f" (and {len(broken) - 1} more: {', '.join(list(broken)[1:6])})" if len(broken) > 1 else ""
        raise ConfigError(
            f"The patient {first} cannot be used{others}: {reason.rstrip('.')}", Remedy.LEAVE_BROKEN_OUT
        )
    for name, reason in broken.items():
        logger.warning("%s is left out: %s", name, reason)
    kept = chosen.without(broken)
    if not kept.train:
        names = ", ".join(source.name for source in chosen.sources)
        raise ConfigError(f"{names} has no usable patient to train on.")
    return kept, some_missing


def _to_visit(config: TrainingConfig, chosen: Patients, steps: int | None) -> Sequence[Patient]:
    """Return the synthetic patients that must be there before the first step."""
    if config.data.make_while_training and steps is None:
        return [
            patient
            for source in chosen.sources
            if source.synthetic
            for patient in source.patients[:FIRST_MADE]
        ]
    if not any(source.synthetic for source in chosen.sources):
        return []
    planned = Length.of(config, len(chosen.train)).steps
    taken = min(count for count in (steps, planned, math.inf) if count is not None)
    if taken == math.inf:
        return [patient for patient in chosen.train if patient.folder is None]
    visits = math.ceil(taken * config.optimizer.batch / config.data.crops_per_visit)
    visited = Visits(chosen.sources, config.seed).visited(visits)
    return [patient for patient in visited if patient.folder is None]


def _growing(config: TrainingConfig, patients: Patients, cache: PatientCache) -> list[Patient]:
    """Return the synthetic patients that are to be made while training goes on, of all sources in turn."""
    if not config.data.make_while_training:
        return []
    left = [
        source.patients[ReadyPatients(cache, source.patients).count :]
        for source in patients.sources
        if source.synthetic
    ]
    longest = max(map(len, left), default=0)
    return [row[place] for place in range(longest) for row in left if place < len(row)]


def with_absolute_paths(config: TrainingConfig) -> TrainingConfig:
    """Return the configuration with paths that hold from any folder, since a run may be resumed elsewhere."""
    data = config.data
    update: dict[str, object] = {
        name: _absolute(value)
        for name in ("source", "validation", "cache")
        if (value := getattr(data, name)) is not None
    }
    update["sources"] = tuple(_absolute_source(source) for source in data.sources)
    update["validation_sources"] = tuple(_absolute(source) for source in data.validation_sources)
    start = config.start_from
    if start is not None and (start not in bundled_models() or is_there(Path(start))):
        start = _absolute(start)
    return config.model_copy(update={"start_from": start, "data": data.model_copy(update=update)})


def _absolute_source(source: SourceConfig) -> SourceConfig:
    return source.model_copy(update={"source": _absolute(source.source)})


def _absolute(path: str) -> str:
    return path if not path or is_synthetic(path) else str(Path(path).expanduser().absolute())
