"""What every architecture states of itself, readable without loading torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from napari_rdl.brats import CLASSES, MODALITIES

Name = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,64}$")]
"""A name that commands no terminal."""


class Architecture(BaseModel):
    """The numbers that a network is built from; stored in each checkpoint. Each method adds its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    modalities: tuple[Name, ...] = Field(
        MODALITIES,
        min_length=1,
        max_length=8,
        title="Modalities",
        description="Names of the modalities, in the order of their channel encoders.",
    )
    classes: tuple[Name, ...] = Field(
        CLASSES,
        min_length=2,
        max_length=32,
        title="Classes",
        description="Names of the classes, background first.",
    )

    @model_validator(mode="after")
    def _modalities_differ(self) -> Architecture:
        if len(set(self.modalities)) != len(self.modalities):
            raise ValueError("modalities must not repeat.")
        return self

    @property
    def stride(self) -> int:
        """Voxels of the input, along each axis, by which a tile's edge must be divisible."""
        return 1
