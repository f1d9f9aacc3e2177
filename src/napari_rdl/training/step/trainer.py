"""The loop: steps, validation, checkpoints, until all is done or someone says stop."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import torch

from napari_rdl.callbacks import IsCancelled, Progress
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.data.crops import Batch
from napari_rdl.training.step.hardware import peak_memory_mb
from napari_rdl.training.step.preview import Example
from napari_rdl.training.step.schedule import Length, learning_rate
from napari_rdl.training.step.state import Position
from napari_rdl.training.step.stepper import Stepper
from napari_rdl.training.step.validate import Scores, Validator, overall

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.25
"""How often a paused run looks whether it may go on."""

Batches = Callable[[int, int | None], Iterable[Batch]]
"""Returns this process's batches from a step to another, or without end where that is None."""


class Record(Protocol):
    """Who keeps what a run has to say; all of it may be called on every process."""

    def open(self, position: Position) -> None:
        """Begin, or go on after what belongs to `position`."""

    def curves(self, step: int, line: dict[str, Any]) -> None:
        """Keep losses, rate and speed."""

    def scores(self, step: int, scores: Scores, line: dict[str, Any], example: Example | None) -> None:
        """Keep a validation."""

    def best(self, stepper: Stepper, step: int, scores: Scores) -> bool:
        """Keep the best weights so far; return whether they are kept."""

    def checkpoint(self, stepper: Stepper, position: Position, scores: Scores, *, must: bool) -> None:
        """Keep all that is needed to go on; where it `must` be kept and cannot be, raise."""

    def close(self) -> None:
        """End."""

    @property
    def paused(self) -> bool:
        """Whether someone wants the run to hold."""


class Trainer:
    """One run: receives everything it uses, and owns none of it.

    Parameters
    ----------
    config : TrainingConfig
        Resolved.
    stepper : Stepper
        Network, losses and optimiser.
    batches : callable
        Makes this process's batches.
    validator : Validator or None
        Scores the network; None where nobody validates.
    record : Record
        Keeps what is worth it.
    length : Length
        When the run ends.
    epoch_steps : int
        Optimiser steps of one pass over the patients.

    Attributes
    ----------
    position : Position
        Where the run stands.
    scores : dict
        Of the last validation; empty before the first.
    """

    def __init__(
        self,
        config: TrainingConfig,
        stepper: Stepper,
        batches: Batches,
        validator: Validator | None,
        record: Record,
        length: Length,
        epoch_steps: int,
    ) -> None:
        self.config = config
        self.stepper = stepper
        self.batches = batches
        self.validator = validator
        self.record = record
        self.length = length
        self.epoch_steps = epoch_steps
        self.position = Position(sums=[0.0] * (len(stepper.terms) + 2))
        self.scores: Scores = {}
        self._crops: Counter[str] = Counter()
        self._half_crops: Counter[str] = Counter()

    @property
    def steps(self) -> int:
        """Optimiser steps that the run is to take; where the clock ends it, as many as its pace promises."""
        return self.length.planned(self.position.step, self.position.seconds)

    @property
    def is_first(self) -> bool:
        """Whether this process speaks for all."""
        return bool(self.stepper.fabric.is_global_zero)

    def run(self, progress: Progress, should_stop: IsCancelled) -> bool:
        """Train to the end; return False if stopped before, with a checkpoint written.

        Raises
        ------
        DivergedError
            If the loss is no number; the last checkpoint stays as it was.
        OutputError
            If the last checkpoint cannot be written.
        """
        position = self.position
        self.record.open(position)
        batches = self._counted(self.batches(position.step, self.length.steps))
        began = time.perf_counter() - position.seconds
        started, at = time.perf_counter(), position.step
        done = self.length.done(position.step, position.seconds)
        finished, stopped = done >= 1, False
        while not finished and not stopped:
            rate = learning_rate(self.config.optimizer, position.step, done)
            values = self.stepper.take_step(batches, position.step, rate, done)
            position.step = step = position.step + 1
            position.sums = [total + value for total, value in zip(position.sums, values, strict=True)]
            position.counted += 1
            position.seconds = self._agree_on_time(time.perf_counter() - began)
            done = self.length.done(step, position.seconds)
            finished = done >= 1
            if step % self.config.run.log_every == 0 or finished:
                now = time.perf_counter()
                speed = (step - at) * self.config.optimizer.batch / (now - started)
                started, at = now, step
                self._log(rate, speed)
                if self.is_first:
                    progress(step, self.steps, f"loss {values[0]:.3f}, {speed:.2f} crops/s")
            validates = self.validator is not None and (
                step % (self.config.validation.every or self.epoch_steps) == 0 or finished
            )
            if validates:
                self._validate()
                started, at = time.perf_counter(), step
            if not finished:
                held = self._hold(should_stop)
                started, began = started + held, began + held
            stopped = self._agree(should_stop()) and not finished
            if validates or stopped or finished or step % self.config.run.checkpoint_every == 0:
                self._gather_crops()
                self.record.checkpoint(self.stepper, position, self.scores, must=stopped or finished)
        self.record.close()
        return not stopped

    def _counted(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Pass batches on, and count whose crops this process trains on."""
        for batch in batches:
            self._crops.update(batch["names"])
            self._half_crops.update(
                name for name, half in zip(batch["names"], batch["halves"], strict=True) if half
            )
            yield batch

    def _gather_crops(self) -> None:
        """Add up over all processes whose crops were trained on since the last time."""
        counted: list[tuple[Counter[str], Counter[str]]] = [(self._crops, self._half_crops)]
        if self.stepper.fabric.world_size > 1:
            counted *= self.stepper.fabric.world_size
            torch.distributed.all_gather_object(counted, (self._crops, self._half_crops))
        for crops, half_crops in counted:
            self.position.crops.update(crops)
            self.position.half_crops.update(half_crops)
        self._crops, self._half_crops = Counter(), Counter()

    def _log(self, rate: float, speed: float) -> None:
        position = self.position
        means = [total / position.counted for total in position.sums]
        position.sums, position.counted = [0.0] * len(means), 0
        self.record.curves(
            position.step,
            {
                "step": position.step,
                "steps": self.steps,
                "epoch": position.step / self.epoch_steps,
                **dict(zip(("loss", *self.stepper.terms, "gradient_norm"), means, strict=True)),
                "lr": rate,
                "samples_per_s": round(speed, 3),
                "memory_mb": round(peak_memory_mb(self.stepper.fabric.device)),
            },
        )

    def _validate(self) -> None:
        assert self.validator is not None
        started, step = time.perf_counter(), self.position.step
        self.scores, example = self.validator.scores(self.stepper)
        score, seconds = overall(self.scores), time.perf_counter() - started
        logger.info("Step %d: mean Dice %.4f over subsets and regions (%.0f s).", step, score, seconds)
        line = {"step": step, "validation": self.scores, "mean_dice": score, "seconds": round(seconds, 1)}
        self.record.scores(step, self.scores, line, example)
        # Weights that found no room are no best: the next that score better than the file's are.
        if score > self.position.best and self.record.best(self.stepper, step, self.scores):
            self.position.best = score

    def _hold(self, should_stop: IsCancelled) -> float:
        """Wait for as long as someone wants the run to hold; return the seconds waited."""
        if not self.record.paused:
            return 0.0
        started = time.perf_counter()
        # Whoever pauses may switch the machine off.
        self.record.checkpoint(self.stepper, self.position, self.scores, must=False)
        logger.info("Paused at step %d, with a checkpoint.", self.position.step)
        while self.record.paused and not should_stop():
            time.sleep(PAUSE_SECONDS)
        logger.info("Going on.")
        return time.perf_counter() - started

    def _agree(self, stop: bool) -> bool:
        """Return whether any process was told to stop."""
        if self.stepper.fabric.world_size == 1:
            return stop
        flag = torch.tensor(float(stop), device=self.stepper.fabric.device)
        return float(self.stepper.over_processes(flag, "sum")) > 0

    def _agree_on_time(self, seconds: float) -> float:
        """Return the mean of the processes' clocks: all take the same rate and end at the same step."""
        fabric = self.stepper.fabric
        if self.length.seconds is None or fabric.world_size == 1:
            return seconds
        clock = torch.tensor(seconds, dtype=torch.float64, device=fabric.device)
        return float(self.stepper.over_processes(clock, "mean"))
