"""Every number of GMD's network."""

from __future__ import annotations

from pydantic import Field

from napari_rdl.models.architecture import Name
from napari_rdl.models.published import RegionArchitecture


class GMDConfig(RegionArchitecture):
    """Architecture of a `GMDNet`: 3,245,235 numbers to train at half width, as published."""

    inputs: tuple[Name, ...] = Field(
        ("T1", "T1c", "T2", "FLAIR"),
        title="Inputs",
        description="The modalities in the order of the network's own normalisations.",
    )
    width: int = Field(
        16,
        ge=8,
        le=64,
        multiple_of=8,
        title="Width",
        description="Feature channels at full resolution; 32 is the full width, 16 the published half.",
    )

    @property
    def stride(self) -> int:
        """Voxels of the input, along each axis, that meet in one voxel of the deepest level."""
        return 16
