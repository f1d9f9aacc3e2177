"""What every architecture states of itself, readable without loading torch."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_rdl.brats import CLASSES, MODALITIES


class Architecture(BaseModel):
    """The numbers that a network is built from; stored in each checkpoint. Each method adds its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    modalities: tuple[str, ...] = Field(
        MODALITIES,
        min_length=1,
        title="Modalities",
        description="Names of the modalities, in the order of their channel encoders.",
    )
    classes: tuple[str, ...] = Field(
        CLASSES, min_length=2, title="Classes", description="Names of the classes, background first."
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
