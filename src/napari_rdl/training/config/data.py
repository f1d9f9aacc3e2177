"""Where patients come from, and how they are prepared and cropped."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from napari_rdl.training.config.part import Part, must_be_places, unfit
from napari_rdl.training.config.source import SourceConfig


class DataConfig(Part):
    """Where patients come from and how they are prepared and cropped."""

    source: str = Field(
        "",
        title="Training data",
        description="A folder of patients, a split file (.json), or phantom:N for N synthetic patients.",
    )
    sources: tuple[SourceConfig, ...] = Field(
        (),
        title="Training data, mixed",
        description="Several sources in the place of one, each with its share of the visits.",
    )
    validation: str | None = Field(
        None,
        title="Validation data",
        description="As training data. By default the split's list, a fold of a folder, or other phantoms.",
    )
    validation_sources: tuple[str, ...] = Field(
        (),
        title="Validation data, mixed",
        description="Several sources of validation patients in the place of one.",
    )
    fold: int = Field(
        0, ge=0, title="Fold", description="Fold held out for validation when a folder is split."
    )
    folds: int = Field(5, ge=2, title="Folds", description="Number of folds of a folder's seeded split.")
    stratify: Literal["none", "enhancement"] = Field(
        "none",
        title="Alike folds",
        description="Make folds alike in the share of enhancing tumour, those without any among them.",
    )
    phantom_seed: int = Field(
        0, ge=0, title="First phantom", description="Seed of the first synthetic patient of phantom:N."
    )
    phantom_volume_ml: tuple[float, float] = Field(
        (1.0, 200.0),
        title="Phantom tumours",
        description="Smallest and largest whole tumour of phantom:N in ml, log-uniform.",
    )
    skip_broken: bool = Field(
        False, title="Skip broken patients", description="Leave out patients that cannot be used, and go on."
    )
    labels: str | None = Field(
        None,
        title="Label convention",
        description="Convention of the masks, where the file names do not say it.",
    )
    resample: bool = Field(
        False, title="Resample", description="Bring a patient's modalities to one grid where theirs differ."
    )
    spacing: tuple[float, float, float] = Field(
        (1.0, 1.0, 1.0), title="Working spacing", description="Voxel size in mm at which the network works."
    )
    crop: tuple[int, int, int] = Field(
        (80, 80, 80), title="Crop", description="Voxels of a training crop along x, y, z."
    )
    tumour_share: float = Field(
        2 / 3, ge=0, le=1, title="Tumour share", description="Share of crops placed on a tumour voxel."
    )
    crops_per_visit: int = Field(
        1, ge=1, title="Crops per visit", description="Crops taken from a patient before the next one's turn."
    )
    workers: int = Field(
        1, ge=0, title="Workers", description="Processes that prepare crops while the network computes."
    )
    makers: int | None = Field(
        None,
        ge=1,
        title="Makers",
        description="Processes that read or make patients before their first visit; by default one a core.",
    )
    make_while_training: bool = Field(
        False,
        title="Make while training",
        description="Begin with the first synthetic patients and make the others while training goes on: the "
        "network never waits, but who is visited when depends on the clock.",
    )
    resident_gb: float = Field(
        0.0,
        ge=0,
        title="Resident patients, GB",
        description="Memory of the device for patients that are kept, cut and changed there: a GPU is "
        "not kept waiting; 0 = workers read and change crops.",
    )
    cache: str | None = Field(
        None,
        title="Cache folder",
        description="Where prepared patients are kept; without it the user's cache.",
    )

    _places = field_validator("source", "validation", "validation_sources", "cache")(must_be_places)

    @model_validator(mode="after")
    def _positive(self) -> DataConfig:
        if min(self.spacing) <= 0 or min(self.crop) < 1:
            raise unfit("spacing", "spacing and crop must be positive.")
        if min(self.spacing) < 0.1 or max(self.spacing) > 20:
            raise unfit("spacing", "spacing must lie between 0.1 and 20 mm.")
        if max(self.crop) > 16384:
            raise unfit("crop", "crop must be at most 16384 voxels.")
        if not 0 < self.phantom_volume_ml[0] <= self.phantom_volume_ml[1]:
            raise unfit("phantom_volume_ml", "phantom_volume_ml must be positive, the smaller volume first.")
        if self.fold >= self.folds:
            raise unfit("fold", f"fold must be below folds ({self.folds}); it counts from 0.")
        if self.source and self.sources:
            raise unfit("sources", "sources stand in the place of source: leave one of them out.")
        if self.validation is not None and self.validation_sources:
            raise unfit(
                "validation_sources",
                "validation_sources stand in the place of validation: leave one of them out.",
            )
        return self

    @property
    def every_source(self) -> tuple[SourceConfig, ...]:
        """All sources of training patients, be it one or several; none where none is named."""
        return self.sources or ((SourceConfig(source=self.source),) if self.source else ())

    @property
    def every_validation(self) -> tuple[str, ...]:
        """All sources of validation patients; none where the training data tell."""
        return self.validation_sources or ((self.validation,) if self.validation is not None else ())
