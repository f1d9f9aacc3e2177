"""How long a run lasts, by steps or by the clock, and its learning rate on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_rdl.training.config import OptimizerConfig, TrainingConfig


@dataclass(frozen=True)
class Length:
    """When a run ends: after its steps or its time, whichever comes first.

    Attributes
    ----------
    steps : int or None
        Optimiser steps; None where the clock alone counts.
    seconds : float or None
        Time spent training; None where the steps alone count. At least one of both is set.
    """

    steps: int | None
    seconds: float | None = None

    @classmethod
    def of(cls, config: TrainingConfig, patients: int) -> Length:
        """Return the length of a run over so many patients; a clock takes the place of the epochs."""
        settings = config.optimizer
        steps = settings.max_steps
        if settings.max_minutes is None:
            return cls(steps or settings.epochs * steps_per_epoch(config, patients))
        return cls(steps, 60 * settings.max_minutes)

    def done(self, step: int, seconds: float) -> float:
        """Return the share of the run, 0 to 1, that `step` optimiser steps in `seconds` are."""
        by_steps = step / self.steps if self.steps else 0.0
        by_clock = seconds / self.seconds if self.seconds else 0.0
        return min(max(by_steps, by_clock), 1.0)

    def planned(self, step: int, seconds: float) -> int:
        """Return how many steps the run will have taken at its end, at the pace so far."""
        done = self.done(step, seconds)
        if self.steps is not None and (not self.seconds or done == step / self.steps):
            return self.steps
        return max(round(step / done), step) if done else step + 1


def steps_per_epoch(config: TrainingConfig, patients: int) -> int:
    """Return the optimiser steps of one pass over the patients."""
    return math.ceil(patients * config.data.crops_per_visit / config.optimizer.batch)


def learning_rate(config: OptimizerConfig, step: int, done: float) -> float:
    """Return lr (1 - done)^power, or half a cosine, rising linearly over the first `warmup` steps.

    Parameters
    ----------
    config : OptimizerConfig
        ``lr``, ``schedule``, ``power`` and ``warmup``.
    step : int
        Optimiser steps taken before this one.
    done : float
        Share of the run that lies behind, of its steps or of its time.
    """
    if config.schedule == "cosine":
        rate = config.lr * (1 + math.cos(math.pi * done)) / 2
    else:
        rate = config.lr * (1 - done) ** config.power
    if step < config.warmup:
        rate *= (step + 1) / (config.warmup + 1)
    return rate
