"""Which method a run trains."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from napari_rdl.training.config.part import Part


class MethodConfig(Part):
    """The paper's own method, or one of those that it is compared with."""

    name: Literal["rdl", "rfnet", "mmformer", "m3ae", "gmd"] = Field(
        "rdl",
        title="Method",
        description="What is trained. All but rdl have losses of their own, and of the settings of network "
        "and loss use the modalities and how subsets are drawn.",
    )
    width: int | None = Field(
        None,
        ge=1,
        le=256,
        title="Width",
        description="Channels of a comparison method at full resolution; the published by default.",
    )
    fused_from: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="Fused from",
        description="Share of the run after which RFNet and mmFormer learn from what they fuse.",
    )
    consistency: float = Field(
        0.1,
        ge=0,
        title="Consistency weight",
        description="Weight in M3AE of the distance between two subsets' deepest features.",
    )
    left_out: int = Field(
        2,
        ge=0,
        le=7,
        title="Left out",
        description="How many modalities each of GMD's objectives leaves out; its step takes what conflicts "
        "out of their gradients.",
    )
