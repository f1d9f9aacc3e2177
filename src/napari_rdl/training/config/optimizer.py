"""The optimiser and its schedule."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from napari_rdl.training.config.part import Part


class OptimizerConfig(Part):
    """Adam and its schedule."""

    lr: float = Field(8e-4, gt=0, title="Learning rate", description="Learning rate at the start.")
    fusion_scale: float = Field(
        1.0,
        gt=0,
        title="Fusion's rate",
        description="Learning rate of the deep sets' layers beside that of all others: they may be new where "
        "the network is not.",
    )
    fusion_only: bool = Field(
        False,
        title="Fusion only",
        description="Train the deep sets' layers alone and leave all others as the checkpoint has them: a "
        "part of the time of a step.",
    )
    weight_decay: float = Field(1e-5, ge=0, title="Weight decay", description="L2 penalty of Adam.")
    batch: int = Field(8, ge=1, title="Batch", description="Crops of one optimiser step, over all processes.")
    micro_batch: int | None = Field(
        None,
        ge=1,
        title="Micro batch",
        description="Crops that a process takes at once; gradients are accumulated up to the batch.",
    )
    epochs: int = Field(600, ge=1, title="Epochs", description="Passes over the patients.")
    max_steps: int | None = Field(
        None, ge=1, title="Steps", description="Optimiser steps; takes the place of epochs."
    )
    max_minutes: float | None = Field(
        None,
        gt=0,
        title="Minutes",
        description="Time to train for, in the place of epochs; with steps, whichever ends first. The "
        "learning rate follows it. Pauses do not count.",
    )
    amsgrad: bool = Field(
        False,
        title="AMSGrad",
        description="Adam's variant that RFNet and mmFormer are trained with: its steps never grow.",
    )
    schedule: Literal["polynomial", "cosine"] = Field(
        "polynomial", title="Schedule", description="How the learning rate falls."
    )
    power: float = Field(
        0.9,
        ge=0,
        title="Schedule power",
        description="Polynomial decay: lr (1 - done)^power; 0 = none.",
    )
    warmup: int = Field(0, ge=0, title="Warm-up", description="Steps over which the learning rate rises.")
    clip: float | None = Field(
        None, gt=0, title="Gradient clipping", description="Largest gradient norm; none by default."
    )
    ema_decay: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="Weight averaging",
        description="Decay of the moving average of the weights that is validated and exported; 0 = off.",
    )
