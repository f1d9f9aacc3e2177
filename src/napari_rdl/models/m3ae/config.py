"""Every number of M3AE's segmentation network."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from napari_rdl.models.architecture import Name
from napari_rdl.models.published import RegionArchitecture

_Size = Annotated[int, Field(ge=8, le=1024)]


class M3AEConfig(RegionArchitecture):
    """Architecture of an `M3AE`: 40,416,505 numbers to train as published, 35,712,000 of them the images."""

    inputs: tuple[Name, ...] = Field(
        ("T1", "T1c", "T2", "FLAIR"),
        title="Inputs",
        description="The modalities in the order of the network's own channels.",
    )
    regions: tuple[Name, ...] = Field(
        ("ET", "TC", "WT"),
        title="Regions",
        description="The regions in the order of the network's outputs.",
    )
    width: int = Field(
        16,
        ge=8,
        le=256,
        multiple_of=8,
        title="Width",
        description="Feature channels at full resolution; each of the four levels has twice those above it.",
    )
    substitute: tuple[_Size, _Size, _Size] = Field(
        (155, 240, 240),
        title="Substitute",
        description="Voxels of the learnt images along the network's own axes; those of BraTS as published.",
    )
    deep_supervision: bool = Field(
        True,
        title="Deep supervision",
        description="Whether two deeper levels have outputs of their own, which training alone asks.",
    )

    @property
    def stride(self) -> int:
        """Voxels of the input, along each axis, that meet in one voxel of the deepest level."""
        return 8
