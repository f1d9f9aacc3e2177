"""How a segmentation is computed, as far as a user may choose."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class SegmentSettings(BaseModel):
    """Choices of `napari_rdl.segment.encode`; stored in the provenance."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: str = Field(
        "auto",
        title="Device",
        description="auto (a GPU if there is one), cpu, cuda, cuda:1, mps.",
    )
    precision: Literal["auto", "float32", "bf16", "fp16"] = Field(
        "auto",
        title="Precision",
        description="auto takes the fastest that the device computes natively.",
    )
    tile: int | None = Field(
        None,
        ge=16,
        le=256,
        title="Tile",
        description="Edge of the cubes that pass through the network, in voxels of the working grid; "
        "without it, as the model card says.",
    )
    overlap: float = Field(
        0.25, ge=0, le=0.9, title="Overlap", description="Share of a tile that overlaps its neighbour."
    )
