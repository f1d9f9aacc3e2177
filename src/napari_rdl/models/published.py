"""What the published methods have in common: the order of their inputs, and how their arrays lie.

Free of torch, as every architecture is.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from napari_rdl.brats import CLASSES
from napari_rdl.models.architecture import Architecture, Name

PLACES = {"R": (0, False), "L": (0, True), "A": (1, False), "P": (1, True), "S": (2, False), "I": (2, True)}
"""Letter -> the RAS+ axis that it lies on, and whether it runs the other way."""


def _is_orientation(codes: str) -> str:
    if len(codes) != 3 or sorted(PLACES[code][0] for code in codes if code in PLACES) != [0, 1, 2]:
        raise ValueError(f"{codes!r} names no three axes such as RAS or LPS")
    return codes


Axes = Annotated[str, AfterValidator(_is_orientation)]
"""To where an array's three axes run: RAS as a case has them, LPS as BraTS stores its voxels."""


class PublishedArchitecture(Architecture):
    """An architecture whose inputs, axes and classes have an order of their own in the published code."""

    inputs: tuple[Name, ...] = Field(
        ("FLAIR", "T1c", "T1", "T2"),
        title="Inputs",
        description="The modalities in the order of the network's own channels.",
    )
    axes: Axes = Field(
        "RAS",
        title="Axes",
        description="To where the axes of the arrays run that the network was trained on.",
    )

    @model_validator(mode="after")
    def _inputs_are_the_modalities(self) -> PublishedArchitecture:
        if sorted(self.inputs) != sorted(self.modalities):
            raise ValueError("inputs must name the modalities, each once.")
        return self


class RegionArchitecture(PublishedArchitecture):
    """One that says of WT, TC and ET, each by itself, whether a voxel belongs to it."""

    regions: tuple[Name, ...] = Field(
        ("WT", "TC", "ET"),
        title="Regions",
        description="The regions in the order of the network's outputs.",
    )

    @model_validator(mode="after")
    def _regions_make_the_classes(self) -> RegionArchitecture:
        if sorted(self.regions) != ["ET", "TC", "WT"] or self.classes != CLASSES:
            raise ValueError("regions must be WT, TC and ET, in any order, and classes those of BraTS.")
        return self
