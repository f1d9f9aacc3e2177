"""How a run is watched, where it computes, and what it writes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from napari_rdl.training.config.part import Part


class ValidationConfig(Part):
    """Hard Dice on every subset, while training."""

    every: int | None = Field(
        None,
        ge=1,
        title="Validate every",
        description="Optimiser steps between validations; else every epoch.",
    )
    patients: int = Field(16, ge=1, title="Validation patients", description="At most so many patients.")
    tile: int | None = Field(
        None,
        ge=8,
        title="Tile",
        description="Edge of the cubes that pass the network; the crop's by default.",
    )
    overlap: float = Field(0.25, ge=0, lt=1, title="Overlap", description="Overlap of neighbouring tiles.")


class HardwareConfig(Part):
    """Where the run computes; changes speed, not the method."""

    device: str = Field(
        "auto", pattern="^(auto|cpu|cuda|mps)$", title="Device", description="auto, cpu, cuda or mps."
    )
    devices: int = Field(1, ge=1, title="Devices", description="Processes (GPUs) on each machine.")
    nodes: int = Field(1, ge=1, title="Machines", description="Machines that take part.")
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "auto"] = Field(
        "32-true",
        title="Precision",
        description="Number format of the computation; auto: a shorter one where the device multiplies it "
        "itself. Fixed at the start of the run.",
    )
    threads: int | None = Field(
        None, ge=1, title="Threads", description="CPU threads of each process; fixed at the start of the run."
    )
    compile: bool = Field(False, title="Compile", description="Use torch.compile on the network.")


class RunConfig(Part):
    """What a run writes, and how often."""

    checkpoint_every: int = Field(
        250, ge=1, title="Checkpoint every", description="Optimiser steps between checkpoints to resume from."
    )
    log_every: int = Field(
        10, ge=1, title="Log every", description="Optimiser steps between lines of metrics."
    )
