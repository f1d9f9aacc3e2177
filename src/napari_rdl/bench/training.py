"""Timing of a training step: how many crops a second, and what waits for what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from pydantic import BaseModel, ConfigDict
from torch.utils.flop_counter import FlopCounterMode

from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.training.run.setup import set_up, starting_model
from napari_rdl.training.step.hardware import peak_memory_mb, resolve_hardware

if TYPE_CHECKING:
    from napari_rdl.training.config import TrainingConfig
    from napari_rdl.training.data.crops import Batch
    from napari_rdl.training.step.stepper import Stepper

PARTS = ("waiting", "network", "losses", "backward", "optimizer")
"""What a step does, in its order: waits for crops, passes the network, compares, differentiates, steps."""


class StepTimes(BaseModel):
    """How long the parts of one step take.

    Attributes
    ----------
    seconds : float
        Median of a step.
    crops_per_second : float
        Crops of a step over `seconds`.
    parts : dict
        Name of `PARTS` -> median seconds. The gradients of the subsets' losses are taken as they are
        computed, so that part of differentiating stands under ``losses``.
    waiting_share : float
        Of the time of all steps: near 0 the network is the limit, else the data.
    memory_mb : float
        Peak: of the GPU where there is one, else of the process.
    tflop : float
        Of one step, forward and backward, as `torch.utils.flop_counter` counts the first: convolutions and
        products of matrices. What else runs on the machine does not change it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: str
    precision: str
    threads: int
    batch: int
    crop: tuple[int, int, int]
    steps: int
    seconds: float
    crops_per_second: float
    parts: dict[str, float]
    waiting_share: float
    memory_mb: float
    tflop: float


def measure_training(
    config: TrainingConfig,
    steps: int,
    *,
    progress: Progress = ignore_progress,
    cancelled: IsCancelled = never_cancelled,
) -> StepTimes:
    """Take a run's first steps with a clock on each part; nothing is written but prepared patients.

    Parameters
    ----------
    config : TrainingConfig
        With training data.
    steps : int
        That are timed, after two that are not.

    Raises
    ------
    NapariRdlError
        If data, settings or device do not fit.
    """
    config = resolve_hardware(config)
    untimed = 2
    setup = set_up(config, starting_model(config), progress, cancelled, steps=steps + untimed)
    stepper = setup.stepper()
    clock = _Clock(stepper)
    batches = clock.waiting_for(iter(setup.batches()(0, steps + untimed)))
    rows, wholes = [], []
    counter = FlopCounterMode(display=False)
    for step in range(steps + untimed):
        clock.start()
        with nullcontext() if step else counter:
            stepper.take_step(batches, step, config.optimizer.lr)
        whole = clock.stop()
        if step >= untimed:
            rows.append(dict(clock.parts))
            wholes.append(whole)
        progress(step + 1, steps + untimed, f"{whole:.2f} s a step")
    return StepTimes(
        device=_device_name(stepper.fabric.device),
        precision=config.hardware.precision,
        threads=torch.get_num_threads(),
        batch=config.optimizer.batch,
        crop=config.data.crop,
        steps=steps,
        seconds=median(wholes),
        crops_per_second=config.optimizer.batch / median(wholes),
        parts={name: median(row[name] for row in rows) for name in PARTS},
        waiting_share=_share([row["waiting"] for row in rows], wholes),
        memory_mb=peak_memory_mb(stepper.fabric.device),
        tflop=counter.get_total_flops() / 1e12,
    )


class _Clock:
    """Attributes the time of a step to its parts, by hooks on what it is made of."""

    def __init__(self, stepper: Stepper) -> None:
        self.parts: dict[str, float] = {}
        self._device = stepper.fabric.device
        self._at = self._began = 0.0
        network, objective = stepper.objective.network, stepper.objective
        # A hook ends the part whose turn it was.
        objective.register_forward_pre_hook(lambda *_: self._ends(None))
        network.register_forward_pre_hook(lambda *_: self._ends("losses"))
        network.register_forward_hook(lambda *_: self._ends("network"))
        objective.register_forward_hook(lambda *_: self._ends("losses"))
        optimizer: Any = getattr(stepper.optimizer, "optimizer", stepper.optimizer)
        optimizer.register_step_pre_hook(lambda *_: self._ends("backward"))

    def start(self) -> None:
        self.parts = dict.fromkeys(PARTS, 0.0)
        self._began = self._at = self._now()

    def stop(self) -> float:
        """End a step; return its seconds."""
        self._ends("optimizer")
        return self._at - self._began

    def waiting_for(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        while True:
            # Before the first micro-batch nothing has run; before another, the gradients of the last.
            self._ends("backward")
            batch = next(batches, None)
            self._ends("waiting")
            if batch is None:
                return
            yield batch

    def _ends(self, part: str | None) -> None:
        now = self._now()
        if part is not None and self.parts:
            self.parts[part] += now - self._at
        self._at = now

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return perf_counter()


def _share(waiting: Sequence[float], whole: Sequence[float]) -> float:
    return sum(waiting) / sum(whole)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
