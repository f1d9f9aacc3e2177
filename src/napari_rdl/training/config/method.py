"""Which method a run trains."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from napari_rdl.training.config.part import Part

_Edge = Annotated[int, Field(ge=8, le=1024)]


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
    stage: Literal["segment", "masked"] = Field(
        "segment",
        title="Stage",
        description="What is learnt: to segment; or, in M3AE's first stage, to restore what is hidden. "
        "Weights of the latter are a start for the former (start_from), and segment nothing.",
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
    substitute: tuple[_Edge, _Edge, _Edge] | None = Field(
        None,
        title="Learnt images",
        description="Voxels along x, y, z of the images that M3AE learns in the place of missing modalities, "
        "cut where a crop lies in the brain's bounding box; a crop's by default, the same wherever it lies.",
    )
    images_lr: float | None = Field(
        None,
        ge=0,
        title="Learnt images' rate",
        description="Learning rate of these images at the start; 0 keeps them as they are. By default they "
        "are kept where a run begins with a checkpoint, and else have the rate of all others.",
    )
    images_penalty: float = Field(
        0.005,
        ge=0,
        title="Learnt images' penalty",
        description="Weight, in M3AE's first stage, of how far these images stray from their means.",
    )
    masked_share: float = Field(
        0.875,
        gt=0,
        lt=1,
        title="Masked share",
        description="Share of all cubes of all modalities that M3AE's first stage hides.",
    )
    masked_edge: int = Field(
        16, ge=1, le=256, title="Masked edge", description="Edge in voxels of the cubes that it hides."
    )
    left_out: int = Field(
        2,
        ge=0,
        le=7,
        title="Left out",
        description="How many modalities each of GMD's objectives leaves out; its step takes what conflicts "
        "out of their gradients.",
    )
