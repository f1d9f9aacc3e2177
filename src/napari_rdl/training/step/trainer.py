"""The loop: steps, validation, checkpoints, until all is done or someone says stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from lightning.fabric import Fabric

from napari_rdl.cohort.patients import Split
from napari_rdl.errors import NapariRdlError, OutputError
from napari_rdl.models import Model, save_model
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.data.cache import PatientCache
from napari_rdl.training.data.crops import Batch, CropDataset, StepSampler, crop_loader
from napari_rdl.training.losses.total import TERMS
from napari_rdl.training.run.card import run_card
from napari_rdl.training.run.folder import MetricsLog, RunFolder
from napari_rdl.training.run.tensorboard import EventLog
from napari_rdl.training.step.hardware import peak_memory_mb
from napari_rdl.training.step.preview import Example, write_preview
from napari_rdl.training.step.schedule import Length, learning_rate, steps_per_epoch
from napari_rdl.training.step.state import Position, load_state, save_state
from napari_rdl.training.step.stepper import Stepper
from napari_rdl.training.step.validate import Scores, mean_scores, overall, validate

logger = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]

PAUSE_SECONDS = 0.25
"""How often a paused run looks whether it may go on."""


class Trainer:
    """One run: receives everything it uses, and owns none of it.

    Parameters
    ----------
    config : TrainingConfig
        Resolved.
    fabric : Fabric
        Launched.
    split : Split
        Patients, checked.
    cache : PatientCache
        Where they are prepared.
    folder : RunFolder or None
        Where to write; None writes nothing.
    start : Model, optional
        Checkpoint of the same architecture whose weights the run begins with.
    """

    def __init__(
        self,
        config: TrainingConfig,
        fabric: Fabric,
        split: Split,
        cache: PatientCache,
        folder: RunFolder | None,
        start: Model | None = None,
    ) -> None:
        self.config = config
        self.fabric = fabric
        self.split = split
        self.cache = cache
        self.folder = folder
        self.length = Length.of(config, len(split.train))
        self.epoch_steps = steps_per_epoch(config, len(split.train))
        self.position = Position(sums=[0.0] * (len(TERMS) + 2))
        self.scores: Scores = {}
        self.stepper = Stepper(config, fabric, start)

    @property
    def steps(self) -> int:
        """Optimiser steps that the run is to take; where the clock ends it, as many as its pace promises."""
        return self.length.planned(self.position.step, self.position.seconds)

    def resume(self) -> None:
        """Go back to the saved state."""
        assert self.folder is not None
        stepper = self.stepper
        self.position, average, scaler = load_state(
            self.folder.state,
            self.config,
            stepper.objective,
            stepper.optimizer.optimizer,
            self.fabric.device,
        )
        if stepper.average is not None:
            stepper.average.load_state_dict(average)
        if scaler and stepper.scaler is not None:
            stepper.scaler.load_state_dict(scaler)

    def run(self, progress: Progress, should_stop: Callable[[], bool]) -> bool:
        """Train to the end; return False if stopped before, with a checkpoint written.

        Raises
        ------
        DivergedError
            If the loss is no number; the last checkpoint stays as it was.
        OutputError
            If the last checkpoint cannot be written.
        """
        metrics = events = None
        if self.folder is not None and self.fabric.is_global_zero:
            metrics = MetricsLog(self.folder.metrics, self.position.metrics_size)
            events = EventLog(self.folder.tensorboard, self.position.step)
        batches = iter(self.batches(self.length.steps))
        began = time.perf_counter() - self.position.seconds
        started, at = time.perf_counter(), self.position.step
        done = self.length.done(self.position.step, self.position.seconds)
        finished, stopped = done >= 1, False
        while not finished and not stopped:
            step = self.position.step
            rate = learning_rate(self.config.optimizer, step, done)
            values = self.stepper.take_step(batches, step, rate)
            self.position.step = step = step + 1
            self.position.sums = [
                total + value for total, value in zip(self.position.sums, values, strict=True)
            ]
            self.position.counted += 1
            self.position.seconds = self._agree_on_time(time.perf_counter() - began)
            done = self.length.done(step, self.position.seconds)
            finished = done >= 1
            if step % self.config.run.log_every == 0 or finished:
                now = time.perf_counter()
                speed = (step - at) * self.config.optimizer.batch / (now - started)
                started, at = now, step
                self._log(metrics, events, rate, speed)
                if self.fabric.is_global_zero:
                    progress(step, self.steps, f"loss {values[0]:.3f}, {speed:.2f} crops/s")
            validated = self.split.validation and (
                step % (self.config.validation.every or self.epoch_steps) == 0 or finished
            )
            if validated:
                self._validate(metrics, events)
                started, at = time.perf_counter(), step
            if not finished:
                held = self._hold(metrics, should_stop)
                started, began = started + held, began + held
            stopped = self._agree(should_stop()) and not finished
            if validated or stopped or finished or step % self.config.run.checkpoint_every == 0:
                self._checkpoint(metrics, must=stopped or finished)
        if events is not None:
            events.close()
        return not stopped

    def batches(self, until: int | None) -> Iterable[Batch]:
        """Return this process's batches from the current step to step `until`, or without end."""
        dataset = CropDataset(self.config, self.split.train, self.cache)
        return crop_loader(
            dataset, StepSampler(self.config, self.position.step, until, self.fabric.global_rank)
        )

    def _log(self, metrics: MetricsLog | None, events: EventLog | None, rate: float, speed: float) -> None:
        sums, count = self.position.sums, self.position.counted
        means = dict(zip(("loss", *TERMS, "gradient_norm"), (total / count for total in sums), strict=True))
        self.position.sums, self.position.counted = [0.0] * len(sums), 0
        step = self.position.step
        line = {"step": step, "steps": self.steps, "epoch": step / self.epoch_steps, **means, "lr": rate}
        line |= {"samples_per_s": round(speed, 3), "memory_mb": round(peak_memory_mb(self.fabric.device))}
        if metrics is not None and events is not None:
            assert self.folder is not None
            self.folder.require_there()
            metrics.write(line)
            curves = {name: value for name, value in line.items() if name not in ("step", "steps")}
            events.write(step, curves, "train")

    def _validate(self, metrics: MetricsLog | None, events: EventLog | None) -> None:
        started = time.perf_counter()
        mine = self.split.validation[: self.config.validation.patients][
            self.fabric.global_rank :: self.fabric.world_size
        ]
        precision = {"32-true": "float32", "bf16-mixed": "bf16", "16-mixed": "fp16"}
        examples: list[Example] = []
        sums, counts = validate(
            self.stepper.network,
            [self.cache.get(patient) for patient in mine],
            tile=self.config.tile,
            overlap=self.config.validation.overlap,
            precision=precision[self.config.hardware.precision],
            device=self.fabric.device,
            see=examples.append if metrics is not None else None,
        )
        if examples:
            folder = self.folder
            assert folder is not None
            self._keep_going(lambda: write_preview(folder.preview, examples[0]))
        both = torch.from_numpy(np.concatenate((sums, counts), 1)).float().to(self.fabric.device)
        table = self.stepper.over_processes(both, "sum").cpu().numpy().astype(np.float64)
        self.scores = mean_scores(table[:, :3], table[:, 3:], self.config.network.modalities)
        score, step = overall(self.scores), self.position.step
        seconds = time.perf_counter() - started
        logger.info("Step %d: mean Dice %.4f over subsets and regions (%.0f s).", step, score, seconds)
        if metrics is not None and events is not None:
            metrics.write(
                {"step": step, "validation": self.scores, "mean_dice": score, "seconds": round(seconds, 1)}
            )
            flat = {f"{name}/{region}": v for name, row in self.scores.items() for region, v in row.items()}
            events.write(step, {"mean_dice": score, **flat}, "validation")
        if score > self.position.best:
            written = True
            if self.folder is not None and self.fabric.is_global_zero:
                written = self._keep_going(lambda: self._export(self.folder.best))  # type: ignore[union-attr]
            if written:
                # Weights that found no room are no best: the next that score better than the file's are.
                self.position.best = score

    def _hold(self, metrics: MetricsLog | None, should_stop: Callable[[], bool]) -> float:
        """Wait while a file PAUSE lies in the run folder; return the seconds waited."""
        if self.folder is None or not self.folder.pause.exists():
            return 0.0
        started = time.perf_counter()
        # Whoever pauses may switch the machine off.
        self._checkpoint(metrics, must=False)
        logger.info("Paused at step %d, with a checkpoint.", self.position.step)
        while self.folder.pause.exists() and not should_stop():
            time.sleep(PAUSE_SECONDS)
        logger.info("Going on.")
        return time.perf_counter() - started

    def _checkpoint(self, metrics: MetricsLog | None, *, must: bool) -> None:
        if self.folder is None or metrics is None:
            return
        folder = self.folder
        folder.require_there()
        self.position.metrics_size = metrics.size

        def write() -> None:
            stepper = self.stepper
            save_state(
                folder.state,
                self.config,
                self.position,
                stepper.objective,
                stepper.optimizer.optimizer,
                {} if stepper.average is None else stepper.average.state_dict(),
                {} if stepper.scaler is None else stepper.scaler.state_dict(),
            )
            self._export(folder.last)

        if must:
            try:
                write()
            except NapariRdlError as error:
                raise OutputError(
                    f"The last checkpoint of {folder.path} is lost and the one before is kept, so free space "
                    f"and go on with --resume {folder.path}: {error}"
                ) from error
        else:
            self._keep_going(write)

    def _export(self, path: Path) -> None:
        card = run_card(self.config, len(self.split.train), self.position.step, self.scores)
        save_model(path, self.stepper.network, card, make_folder=False)

    def _keep_going(self, write: Callable[[], None]) -> bool:
        """Write something that a run can go on without; return whether it is written."""
        try:
            write()
        except NapariRdlError as error:
            logger.warning("%s; the checkpoint before is kept and training goes on.", str(error).rstrip("."))
            return False
        return True

    def _agree(self, stop: bool) -> bool:
        """Return whether any process was told to stop."""
        flag = torch.tensor(float(stop), device=self.fabric.device)
        return float(self.stepper.over_processes(flag, "sum")) > 0

    def _agree_on_time(self, seconds: float) -> float:
        """Return the mean of the processes' clocks: all take the same rate and end at the same step."""
        if self.length.seconds is None or self.fabric.world_size == 1:
            return seconds
        clock = torch.tensor(seconds, dtype=torch.float64, device=self.fabric.device)
        return float(self.stepper.over_processes(clock, "mean"))
