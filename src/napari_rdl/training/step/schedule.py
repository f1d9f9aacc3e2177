"""How long a run lasts, and its learning rate at each step."""

from __future__ import annotations

import math

from napari_rdl.training.config import OptimizerConfig, TrainingConfig


def steps_per_epoch(config: TrainingConfig, patients: int) -> int:
    """Return the optimiser steps of one pass over the patients."""
    return math.ceil(patients * config.data.crops_per_visit / config.optimizer.batch)


def total_steps(config: TrainingConfig, patients: int) -> int:
    """Return the optimiser steps of the whole run."""
    return config.optimizer.max_steps or config.optimizer.epochs * steps_per_epoch(config, patients)


def learning_rate(config: OptimizerConfig, step: int, steps: int) -> float:
    """Return lr (1 - step/steps)^power, rising linearly over the first `warmup` steps."""
    rate = config.lr * (1 - step / steps) ** config.power
    if step < config.warmup:
        rate *= (step + 1) / (config.warmup + 1)
    return rate
