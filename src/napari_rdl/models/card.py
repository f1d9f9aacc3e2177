"""The model card: what a checkpoint says of itself, readable without loading torch."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from safetensors import SafetensorError, safe_open

from napari_rdl.brats import all_subsets, subset_name
from napari_rdl.errors import CheckpointError, first_fault
from napari_rdl.files import is_file, is_there, parse_json
from napari_rdl.models.architecture import Architecture
from napari_rdl.models.expectation import CalibrationError, DataSource, Expectation
from napari_rdl.models.registry import METHODS

CARD_KEY = "napari-rdl"
"""Where the card stands in a safetensors file's metadata."""

Normalization = Literal["zscore-brain", "zscore-outside", "minmax", "minmax-percentiles"]
"""How intensities are prepared; `napari_rdl.case.intensity.prepared` does it."""

Spacing = Annotated[float, Field(ge=0.1, le=20, allow_inf_nan=False)]
"""Millimetres that voxels of a head have."""


class ModelCard(BaseModel):
    """Metadata stored as JSON beside the tensors of a checkpoint."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = Field(1, title="Format", description="Version of the checkpoint's layout.")
    name: Annotated[str, StringConstraints(max_length=500)] = Field(
        title="Name", description="Short name shown in menus."
    )
    method: str = Field("rdl", title="Method", description="Which of the registered methods this is.")
    network: SerializeAsAny[Architecture] = Field(title="Network", description="Architecture.")
    spacing: tuple[Spacing, Spacing, Spacing] = Field(
        title="Working spacing", description="Voxel size in mm at which the network was trained."
    )
    tile: int = Field(
        64,
        ge=1,
        le=1024,
        title="Tile",
        description="Edge in voxels of the cubes that the network is used on, at most: that of its training "
        "crops, or another that was measured, since group normalisation sees how much of a cube is tumour.",
    )
    normalization: Normalization = Field(
        "zscore-brain",
        title="Normalisation",
        description="How intensities are prepared, each modality on its own. zscore-brain: z-score over "
        "brain voxels within five deviations, 0 outside; zscore-outside: the same without bounds, what lies "
        "outside shifted and scaled alike; minmax: 0 to 1; minmax-percentiles: 0 to 1 between the brain's "
        "1st and 99th percentile.",
    )
    trained_subsets: tuple[str, ...] = Field(
        (),
        max_length=255,
        title="Trained subsets",
        description="The only subsets, as T1c+FLAIR, that it was trained on; all if empty.",
    )
    segments: bool = Field(
        True,
        title="Segments",
        description="Whether it was trained to segment; else it is but a start for a training.",
    )
    trained_on: str = Field("", title="Trained on", description="The data, in a sentence.")
    intended_use: str = Field(
        "Research only. Not a medical device; not for diagnosis or treatment.",
        title="Intended use",
        description="What the weights may be used for.",
    )
    steps: int = Field(0, ge=0, title="Steps", description="Optimiser steps taken.")
    recipe: dict[str, Any] = Field(
        default_factory=dict, title="Recipe", description="Resolved training configuration."
    )
    results: dict[str, Any] = Field(
        default_factory=dict, title="Results", description="Measured figures, by benchmark."
    )
    data_sources: tuple[DataSource, ...] = Field(
        (),
        max_length=100,
        title="Data sources",
        description="The sets of real patients that were trained on, with their licences and attribution.",
    )
    expected: dict[str, Expectation] = Field(
        default_factory=dict,
        title="Expected",
        description="Subset, as T1c+FLAIR -> what its results are worth, as far as it was measured.",
    )
    temperatures: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        default_factory=dict,
        title="Temperatures",
        description="Subset -> what its logits are divided by before they become probabilities; 1 without. "
        "The most probable class does not change.",
    )
    calibration_error: dict[str, CalibrationError] = Field(
        default_factory=dict,
        title="Calibration error",
        description="Subset -> expected calibration error before and after its temperature.",
    )

    @property
    def training_patients(self) -> tuple[str, ...]:
        """Names of the real patients that were trained on, source by source."""
        return tuple(name for source in self.data_sources for name in source.patients)

    @field_validator("expected", "temperatures", "calibration_error")
    @classmethod
    def _subsets_are_the_networks(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        network = info.data.get("network")
        if network is not None:
            known = {subset_name(subset) for subset in all_subsets(network.modalities)}
            strangers = sorted(value.keys() - known)
            if strangers:
                raise ValueError(f"{strangers[0]!r} is no subset of {', '.join(network.modalities)}.")
        return value

    @field_validator("trained_subsets")
    @classmethod
    def _trained_subsets_are_the_networks(
        cls, value: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        cls._subsets_are_the_networks(dict.fromkeys(value), info)
        return value

    @field_validator("method")
    @classmethod
    def _method_is_known(cls, method: str) -> str:
        if method not in METHODS:
            raise ValueError(f"{method!r} is none of the methods {', '.join(METHODS)}.")
        return method

    @field_validator("network", mode="before")
    @classmethod
    def _network_is_the_methods(cls, network: object, info: ValidationInfo) -> object:
        architecture = METHODS[info.data.get("method", "rdl")].architecture
        return network if isinstance(network, architecture) else architecture.model_validate(network)


_DEFAULT = "shipped"


def bundled_models() -> tuple[str, ...]:
    """Return the names of the weights that come with the package, the ones used by default first."""
    names = sorted(path.stem for path in _weights_folder().glob("*.safetensors"))
    return tuple(sorted(names, key=lambda name: name != _DEFAULT))


def bundled_model_path(name: str = _DEFAULT) -> Path:
    """Return the file of weights that come with the package; without a name, of those used by default.

    Raises
    ------
    CheckpointError
        If no bundled weights have this name.
    """
    if name != _DEFAULT and name not in bundled_models():
        raise CheckpointError(
            f"No weights named {name!r} come with napari-rdl: use {' or '.join(bundled_models())}."
        )
    return _weights_folder() / f"{name}.safetensors"


def bundled_name(path: Path) -> str | None:
    """Return the name of the bundled weights that a file is; None where it is none of them."""
    return next((name for name in bundled_models() if bundled_model_path(name) == path), None)


def bundled_model_with(sha256: str) -> Path | None:
    """Return the file of the bundled weights whose bytes have this hash; None where there are none."""
    for name in bundled_models():
        path = bundled_model_path(name)
        if hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
            return path
    return None


def model_path(source: str | Path | None = None) -> Path:
    """Return the file that a user means: a path, the name of bundled weights, or None for the default.

    A file that is there goes before bundled weights of the same name.
    """
    if source is None:
        return bundled_model_path()
    path = Path(source)
    if not is_there(path) and str(source) in bundled_models():
        return bundled_model_path(str(source))
    return path


def _weights_folder() -> Path:
    return Path(str(files("napari_rdl"))) / "models" / "weights"


def read_card(path: str | Path) -> ModelCard:
    """Read a checkpoint's model card without its tensors.

    Raises
    ------
    CheckpointError
        If the file is missing, is no safetensors file, or carries no card of ours.
    """
    path = Path(path)
    if not is_file(path):
        raise CheckpointError(
            f"There is no checkpoint at {path}: give the path of a .safetensors file, or the name of bundled "
            f"weights ({', '.join(bundled_models())})."
        )
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a safetensors file ({error}): choose a checkpoint saved by napari-rdl."
        ) from error
    if CARD_KEY not in metadata:
        raise CheckpointError(
            f"{path} is a safetensors file without a napari-rdl model card: choose a checkpoint that "
            "napari-rdl saved."
        )
    try:
        return ModelCard.model_validate(parse_json(metadata[CARD_KEY]))
    except ValueError as error:
        where = "its JSON"
        if isinstance(error, ValidationError):
            where = first_fault(error)[0] or "its fields"
        raise CheckpointError(
            f"The model card in {path} does not fit this version of napari-rdl (at {where}): "
            "use the version that wrote it, or another checkpoint."
        ) from error
