"""Every number of the network, in one typed place."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from napari_rdl.models.architecture import Architecture


class NetworkConfig(Architecture):
    """Architecture of a `RobustNet`; stored in each checkpoint."""

    channels: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        (16, 32, 64, 128),
        min_length=2,
        max_length=8,
        title="Channels",
        description="Feature channels of each level, from full resolution to the deepest.",
    )
    patch: Literal[1, 2, 4] = Field(
        1,
        title="Patch",
        description="Voxels of the working grid, along each axis, that make one feature voxel: the image is "
        "folded into channels before the first convolution and the logits are unfolded after the last.",
    )
    encoder_blocks: int = Field(
        1, ge=1, le=4, title="Encoder blocks", description="Residual blocks of each encoder level."
    )
    decoder_blocks: int = Field(
        1, ge=1, le=4, title="Decoder blocks", description="Residual blocks of each decoder level."
    )
    groups: int = Field(
        8,
        ge=1,
        le=4096,
        title="Groups",
        description="Groups of each group normalisation; divides every channel count.",
    )
    norm: Literal["shared", "per_modality"] = Field(
        "per_modality",
        title="Normalisation parameters",
        description="One scale and shift for all modalities (the paper's text), or one for each modality "
        "(domain-specific normalisation, the paper's reference [15] and its authors' code).",
    )
    fusion: Literal["mean", "gated", "deep_sets"] = Field(
        "mean",
        title="Fusion",
        description="Dynamic combination of what is present: the mean of the logits, a mean weighted by a "
        "bounded score that each modality gives itself in each voxel, or that mean and a readout of the sum "
        "of what each modality has to say (deep sets).",
    )
    embedding: int = Field(
        32,
        ge=1,
        le=512,
        title="Embedding",
        description="Channels that each modality adds to the sum of the deep sets fusion.",
    )
    gate_bound: float = Field(
        3.0,
        gt=0,
        le=1000,
        allow_inf_nan=False,
        title="Gate bound",
        description="Scores of the gated fusion stay within plus or minus this.",
    )

    @model_validator(mode="after")
    def _groups_divide_channels(self) -> NetworkConfig:
        odd = [count for count in self.channels if count % self.groups]
        if odd:
            sentence = f"groups ({self.groups}) must divide every channel count; {odd[0]} is not divisible."
            raise PydanticCustomError("unfit", "{sentence}", {"setting": "groups", "sentence": sentence})
        return self

    @property
    def stride(self) -> int:
        """Voxels of the input, along each axis, that meet in one voxel of the deepest level."""
        return int(self.patch * 2 ** (len(self.channels) - 1))
