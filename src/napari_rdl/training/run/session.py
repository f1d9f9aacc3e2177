"""Starting, resuming and trying out a run."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import torch.distributed

from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.segment.kept_memory import large_pieces_kept
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.data.sources import Patients
from napari_rdl.training.run.ending import log_file, recorded_problems, said_plainly, terminations
from napari_rdl.training.run.folder import RunFolder
from napari_rdl.training.run.record import RunRecord
from napari_rdl.training.run.running import Ended, occupied, write_ended
from napari_rdl.training.run.setup import Setup, set_up, starting_model, with_absolute_paths
from napari_rdl.training.step.hardware import peak_memory_mb, resolve_hardware
from napari_rdl.training.step.state import load_state

logger = logging.getLogger(__name__)


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
    # Every setting is set, as it is when the run folder's configuration is read again.
    config = TrainingConfig.model_validate(config.model_dump())
    setup = set_up(config, starting_model(config), progress, cancelled)
    if setup.fabric.is_global_zero:
        folder.create(config, setup.patients.record())
    return _train(setup, folder, progress, cancelled)


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
    begun = folder.state.exists()

    def require_same(patients: Patients) -> None:
        folder.require_same_patients(patients.record())

    start = None if begun else starting_model(config)
    setup = set_up(config, start, progress, cancelled, recorded=require_same)
    return _train(setup, folder, progress, cancelled, resume=True)


@dataclass(frozen=True)
class DryRun:
    """What a run would be.

    Attributes
    ----------
    train, validation : int
        Numbers of patients.
    left_out : dict
        Name -> reason.
    refused : dict
        Those of them that cannot be used; the others were not asked for.
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
    refused: dict[str, str]
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
    setup = set_up(config, starting_model(config), progress, cancelled, steps=2)
    stepper = setup.stepper()
    with said_plainly(config):
        batches = iter(setup.batches()(0, 2))
        stepper.take_step(batches, 0, config.optimizer.lr)
        waiting = next(batches)
        started = time.perf_counter()
        stepper.take_step(iter([waiting, *batches]), 1, config.optimizer.lr)
        seconds_per_step = time.perf_counter() - started
    return DryRun(
        train=len(setup.patients.train),
        validation=len(setup.patients.validation),
        left_out=setup.patients.left_out,
        refused=setup.patients.broken,
        steps=setup.length.planned(1, seconds_per_step),
        seconds_per_step=seconds_per_step,
        memory_mb=peak_memory_mb(setup.fabric.device),
        parameters=sum(parameter.numel() for parameter in stepper.objective.parameters()),
    )


def is_first_process() -> bool:
    """Return whether this process speaks for all."""
    return not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0


def _train(
    setup: Setup, folder: RunFolder, progress: Progress, cancelled: IsCancelled, *, resume: bool = False
) -> Outcome:
    """Train in a run folder from its state, if it has one, to the end or until someone says stop."""
    first = bool(setup.fabric.is_global_zero)
    with occupied(folder, wanted=first):
        trainer = setup.trainer(RunRecord(folder, setup.config, setup.patients, writes=first))
        if folder.state.exists():
            trainer.position = load_state(folder.state, setup.config, trainer.stepper)
        if resume and first:
            folder.tidy()
        setup.fabric.barrier()
        with log_file(folder.log, first), terminations() as terminated:
            position = trainer.position
            logger.info(
                "Step %d of %d; %d training patients.",
                position.step,
                trainer.steps,
                len(setup.patients.train),
            )
            with recorded_problems(trainer, folder), setup.making(), large_pieces_kept():
                finished = trainer.run(progress, lambda: terminated() or cancelled() or folder.stop.exists())
            logger.info("%s at step %d.", "Finished" if finished else "Stopped", position.step)
            outcome = Outcome(folder.path, finished, position.step, trainer.steps, position.best)
            if first:
                write_ended(
                    folder,
                    Ended(finished=finished, step=outcome.step, steps=outcome.steps, best=outcome.best),
                )
    return outcome
