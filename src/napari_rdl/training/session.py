"""Starting, resuming and trying out a run."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch.distributed

from napari_rdl.callbacks import Cancelled, IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.errors import ConfigError, DeviceError, NapariRdlError
from napari_rdl.network import Model, load_model
from napari_rdl.segment.ladder import is_out_of_memory
from napari_rdl.training.cache import PatientCache, prepare_all
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.hardware import make_fabric, resolve_hardware
from napari_rdl.training.loop import Trainer
from napari_rdl.training.patients import Patient, Split, is_synthetic, split_patients
from napari_rdl.training.run_folder import RunFolder
from napari_rdl.training.running import Ended, occupied, write_ended

logger = logging.getLogger(__name__)

SHIPPED = "shipped"
"""What `start_from` calls the bundled weights."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    folder : Path
        The run.
    finished : bool
        False if it was stopped before its last step.
    step, steps : int
        Optimiser steps taken, and planned.
    best : float
        Best mean validation Dice; -1 without validation.
    """

    folder: Path
    finished: bool
    step: int
    steps: int
    best: float


def run_training(
    config: TrainingConfig,
    out: str | Path,
    *,
    progress: Progress = ignore_progress,
    cancelled: IsCancelled = never_cancelled,
) -> Outcome:
    """Train a model into a new run folder.

    Parameters
    ----------
    config : TrainingConfig
        As `napari_rdl.training.recipe.load_recipe` makes it.
    out : str or Path
        Folder of the run; must be new or empty.
    progress, cancelled : callable
        Called after steps; cancelling ends the run with a checkpoint.

    Raises
    ------
    NapariRdlError
        If data, settings, device or folder do not fit; the folder is then as it was. Later, if the
        loss diverges or the last checkpoint cannot be written.
    """
    folder = RunFolder(out)
    folder.require_new()
    config = resolve_hardware(with_absolute_paths(config))
    cache = PatientCache(config.data, config.network.modalities)
    start = starting_model(config)
    split, some_missing = check_patients(config, cache, progress, cancelled)
    fabric = make_fabric(config, some_missing=some_missing)
    if fabric.is_global_zero:
        folder.create(config, split.record())
    with occupied(folder, wanted=fabric.is_global_zero):
        fabric.barrier()
        return _train(Trainer(config, fabric, split, cache, folder, start), progress, cancelled)


def resume_training(
    out: str | Path, *, progress: Progress = ignore_progress, cancelled: IsCancelled = never_cancelled
) -> Outcome:
    """Go on with a run from its last checkpoint, to the bit on the CPU.

    A run that was ended before its first checkpoint starts again from the beginning.

    Raises
    ------
    NapariRdlError
        As `run_training`; also if the folder is no run, or if another process trains in it.
    """
    folder = RunFolder(out)
    config = resolve_hardware(folder.read_config())
    cache = PatientCache(config.data, config.network.modalities)
    begun = folder.state.exists()
    start = None if begun else starting_model(config)
    split, some_missing = check_patients(config, cache, progress, cancelled)
    folder.require_same_patients(split.record())
    fabric = make_fabric(config, some_missing=some_missing)
    with occupied(folder, wanted=fabric.is_global_zero):
        trainer = Trainer(config, fabric, split, cache, folder, start)
        if begun:
            trainer.resume()
        if fabric.is_global_zero:
            folder.tidy()
        fabric.barrier()
        return _train(trainer, progress, cancelled)


@dataclass(frozen=True)
class DryRun:
    """What a run would be.

    Attributes
    ----------
    train, validation : int
        Numbers of patients.
    left_out : dict
        Name -> reason.
    steps : int
        Optimiser steps planned.
    seconds_per_step : float
        Measured on one step after a first one.
    memory_mb : float
        Peak memory.
    parameters : int
        Trained numbers.
    """

    train: int
    validation: int
    left_out: dict[str, str]
    steps: int
    seconds_per_step: float
    memory_mb: float
    parameters: int

    @property
    def hours(self) -> float:
        """Expected duration, without validation."""
        return self.steps * self.seconds_per_step / 3600


def dry_run(
    config: TrainingConfig, *, progress: Progress = ignore_progress, cancelled: IsCancelled = never_cancelled
) -> DryRun:
    """Check data, memory and time by taking two steps; nothing is written but prepared patients."""
    config = resolve_hardware(config)
    cache = PatientCache(config.data, config.network.modalities)
    start = starting_model(config)
    split, some_missing = check_patients(config, cache, progress, cancelled)
    fabric = make_fabric(config, some_missing=some_missing)
    trainer = Trainer(config, fabric, split, cache, None, start)
    with said_plainly(trainer):
        batches = iter(trainer.batches(2))
        trainer.take_step(batches, config.optimizer.lr)
        waiting = next(batches)
        started = time.perf_counter()
        trainer.take_step(iter([waiting, *batches]), config.optimizer.lr)
        seconds_per_step = time.perf_counter() - started
    return DryRun(
        train=len(split.train),
        validation=len(split.validation),
        left_out=split.left_out,
        steps=trainer.steps,
        seconds_per_step=seconds_per_step,
        memory_mb=trainer.memory_mb(),
        parameters=sum(parameter.numel() for parameter in trainer.objective.parameters()),
    )


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
    kept = Split(usable(split.train), usable(split.validation), split.test, {**split.left_out, **broken})
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


def is_first_process() -> bool:
    """Return whether this process speaks for all."""
    return not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0


def _train(trainer: Trainer, progress: Progress, cancelled: IsCancelled) -> Outcome:
    folder = trainer.folder
    assert folder is not None
    with _log_file(folder.log, trainer.fabric.is_global_zero), _terminations() as terminated:
        logger.info(
            "Step %d of %d; %d training patients.",
            trainer.position.step,
            trainer.steps,
            len(trainer.split.train),
        )
        with _recorded_problems(trainer):
            finished = trainer.run(progress, lambda: terminated() or cancelled() or folder.stop.exists())
        logger.info("%s at step %d.", "Finished" if finished else "Stopped", trainer.position.step)
        outcome = Outcome(folder.path, finished, trainer.position.step, trainer.steps, trainer.position.best)
        if trainer.fabric.is_global_zero:
            write_ended(
                folder, Ended(finished=finished, step=outcome.step, steps=outcome.steps, best=outcome.best)
            )
    return outcome


@contextmanager
def _recorded_problems(trainer: Trainer) -> Iterator[None]:
    """Leave in the run folder why a run broke off, for whoever watches it from elsewhere."""
    try:
        with said_plainly(trainer):
            yield
    except Exception as error:
        expected = isinstance(error, NapariRdlError)
        sentence = str(error) if expected else f"{type(error).__name__}: {error}"
        logger.error("Broke off at step %d: %s", trainer.position.step, sentence)
        if trainer.fabric.is_global_zero and trainer.folder is not None:
            position = trainer.position
            write_ended(
                trainer.folder,
                Ended(step=position.step, steps=trainer.steps, best=position.best, problem=sentence),
            )
        raise


@contextmanager
def said_plainly(trainer: Trainer) -> Iterator[None]:
    """Turn an end of memory into a sentence that says what to lower, and a worker's error into its own.

    Raises
    ------
    DeviceError
        If memory ran out.
    NapariRdlError
        As it was raised, where it was; a loader's worker sends the whole way that it came.
    """
    try:
        yield
    except NapariRdlError as error:
        *way, sentence = str(error).strip().splitlines()
        if not way:
            raise
        raise type(error)(sentence.partition(": ")[2] or sentence) from error
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        config = trainer.config
        crop = " × ".join(map(str, config.data.crop))
        raise DeviceError(
            f"Memory ran out on {trainer.fabric.device.type} at step {trainer.position.step + 1}: lower "
            f"optimizer.micro_batch (now {config.micro_batch}), data.crop (now {crop}) or network.channels "
            f"(now {', '.join(map(str, config.network.channels))})."
        ) from error


@contextmanager
def _log_file(path: Path, wanted: bool) -> Iterator[None]:
    """Copy the program's log into the run folder."""
    if not wanted:
        yield
        return
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    # A log that cannot be written, for want of space, must not end a run.
    handler.handleError = lambda record: None  # type: ignore[method-assign]
    root = logging.getLogger("napari_rdl")
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        # What a full disk does not take is lost, but how the run ended is not hidden by it.
        with suppress(OSError):
            handler.close()


@contextmanager
def _terminations() -> Iterator[Callable[[], bool]]:
    """Turn SIGTERM and Ctrl-C into a question that is asked between steps."""
    told = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield told.is_set
        return

    def remember(number: int, frame: FrameType | None) -> None:
        del number, frame
        told.set()

    before = {number: signal.signal(number, remember) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield told.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
