"""Random changes to a crop."""

from __future__ import annotations

from pydantic import Field

from napari_rdl.training.config.part import Part


class AugmentConfig(Part):
    """Random changes to a crop. Intensities change in each modality on its own."""

    flip: float = Field(0.5, ge=0, le=1, title="Flip", description="Chance of mirroring, for each axis.")
    shift: float = Field(
        0.1, ge=0, title="Intensity shift", description="Largest offset, in standard deviations."
    )
    scale: float = Field(
        0.1, ge=0, title="Intensity scale", description="Largest relative change of contrast."
    )
    gamma: float = Field(0.0, ge=0, le=1, title="Gamma", description="Chance of a gamma curve.")
    noise: float = Field(0.0, ge=0, le=1, title="Noise", description="Chance of added Gaussian noise.")
    blur: float = Field(0.0, ge=0, le=1, title="Blur", description="Chance of Gaussian smoothing.")
    bias: float = Field(0.0, ge=0, le=1, title="Bias field", description="Chance of a smooth bias field.")
    affine: float = Field(0.0, ge=0, le=1, title="Affine", description="Chance of a rotation and zoom.")
    rotation: float = Field(10.0, ge=0, le=45, title="Rotation", description="Largest rotation in degrees.")
    zoom: float = Field(0.1, ge=0, lt=0.5, title="Zoom", description="Largest relative change of size.")
    elastic: float = Field(
        0.0, ge=0, le=1, title="Elastic", description="Chance of bending (resident patients only)."
    )
    elastic_voxels: float = Field(
        3.0,
        ge=0,
        le=20,
        title="Elastic size",
        description="Standard deviation in voxels by which bending moves points 24 voxels apart.",
    )
    thick: float = Field(
        0.0,
        ge=0,
        le=1,
        title="Thick slices",
        description="Chance that a modality is shown as slices 2 to 5 voxels thick (resident patients only).",
    )
    carry: float = Field(
        0.0,
        ge=0,
        le=1,
        title="Tumour carried over",
        description="Chance that a crop gets the tumour of another crop of its batch, with the place's own "
        "contrast (resident patients only).",
    )
