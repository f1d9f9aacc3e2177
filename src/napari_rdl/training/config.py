"""Every number of a training run, in typed places; one description serves form, shell and record."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from napari_rdl.models import DefaultArchitecture

Divergence = Literal[
    "holder",
    "cross_entropy",
    "kl",
    "total_variation",
    "squared_hellinger",
    "neyman_chi2",
    "jensen_shannon",
]


class _Part(BaseModel):
    # TOML knows inf and nan, and neither is a setting: an alpha of inf would end in a loss that is no number.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _unfit(setting: str, sentence: str) -> PydanticCustomError:
    """Return the error of settings that do not fit together; `setting` is the one to look at first."""
    return PydanticCustomError("unfit", "{sentence}", {"setting": setting, "sentence": sentence})


class SourceConfig(_Part):
    """One of several places that patients come from."""

    source: str = Field(
        min_length=1,
        title="Source",
        description="A folder of patients, a split file (.json), or phantom:N for N synthetic patients.",
    )
    share: float = Field(
        1.0,
        gt=0,
        title="Share",
        description="How many visits go to these patients, in proportion to the other sources' shares.",
    )
    first_seed: int | None = Field(
        None,
        ge=0,
        title="First seed",
        description="Seed of the first synthetic patient; without it, data.phantom_seed.",
    )
    volume_ml: tuple[float, float] | None = Field(
        None,
        title="Tumours",
        description="Smallest and largest whole tumour of synthetic patients in ml; without it, "
        "data.phantom_volume_ml.",
    )
    healthy_halves: float = Field(
        0.0,
        ge=0,
        le=1,
        title="Healthy halves",
        description="Share of the visits that see only the half of the brain that has no tumour, where one "
        "half has none.",
    )
    validates: bool = Field(
        True,
        title="Validates",
        description="Whether a fold of this folder is kept aside for validation where no validation data "
        "are named; off, all of it is trained on.",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return read_source(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits(self) -> SourceConfig:
        if self.volume_ml is not None and not 0 < self.volume_ml[0] <= self.volume_ml[1]:
            raise _unfit("volume_ml", "volume_ml must be positive, the smaller volume first.")
        return self


def read_source(text: str) -> dict[str, Any]:
    """Return the settings of a source written in a line, such as ``DIR,share=0.35,healthy_halves=0.2``.

    A comma that is not followed by a setting's name belongs to the folder.
    """
    names = "|".join(name for name in SourceConfig.model_fields if name != "source")
    source, *settings = re.split(rf",(?=(?:{names})=)", text)
    values: dict[str, Any] = {"source": source}
    for setting in settings:
        name, _, value = setting.partition("=")
        # Two volumes are written as 4..200, since a comma parts settings.
        values[name] = value.split("..") if name == "volume_ml" else value
    return values


class DataConfig(_Part):
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

    @model_validator(mode="after")
    def _positive(self) -> DataConfig:
        if min(self.spacing) <= 0 or min(self.crop) < 1:
            raise _unfit("spacing", "spacing and crop must be positive.")
        if min(self.spacing) < 0.1 or max(self.spacing) > 20:
            raise _unfit("spacing", "spacing must lie between 0.1 and 20 mm.")
        if max(self.crop) > 16384:
            raise _unfit("crop", "crop must be at most 16384 voxels.")
        if not 0 < self.phantom_volume_ml[0] <= self.phantom_volume_ml[1]:
            raise _unfit("phantom_volume_ml", "phantom_volume_ml must be positive, the smaller volume first.")
        if self.fold >= self.folds:
            raise _unfit("fold", f"fold must be below folds ({self.folds}); it counts from 0.")
        if self.source and self.sources:
            raise _unfit("sources", "sources stand in the place of source: leave one of them out.")
        if self.validation is not None and self.validation_sources:
            raise _unfit(
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


class AugmentConfig(_Part):
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


class LossConfig(_Part):
    """The terms of Eq. 5, and what they compare."""

    dice: float = Field(1.0, ge=0, title="Dice weight", description="Weight of L_Dice (Eq. 4).")
    divergence: float = Field(
        1.0, ge=0, title="Divergence weight", description="Weight of L_HD (Eq. 1); 0 = off."
    )
    mutual_information: float = Field(
        1.0, ge=0, title="Mutual information weight", description="Weight of L_MI (Eq. 2-3); 0 = off."
    )
    region_dice: float = Field(
        0.0,
        ge=0,
        title="Region Dice weight",
        description="Weight of Dice over WT, TC and ET; not in the paper.",
    )
    absent_voxels: float = Field(
        0.0,
        ge=0,
        title="Absent region, voxels",
        description="How many voxels falsely found make half of the region Dice of a region that a crop does "
        "not have; 0 = such a region teaches nothing.",
    )
    kind: Divergence = Field(
        "holder", title="Divergence", description="The divergence in Hölder's place (Table IV)."
    )
    alpha: float = Field(
        1.1,
        gt=1,
        title="Hölder exponent",
        description="Hölder's conjugate exponent alpha, above 1 (Table V).",
    )
    target: Literal["label", "full"] = Field(
        "label",
        title="Divergence target",
        description="The label (Eq. 5), or the full-modality prediction as a teacher.",
    )
    subsets_per_step: int = Field(
        0, ge=0, title="Subsets per step", description="Subsets supervised in a step; 0 = all. The paper: 1."
    )
    always_full: bool = Field(
        False,
        title="Always the full set",
        description="Whether the set of all modalities is among the subsets of every step.",
    )
    full_weight: float = Field(
        1.0,
        gt=0,
        title="Full set's weight",
        description="How much the set of all modalities counts beside any other subset of the same step.",
    )
    voxels: int = Field(
        0,
        ge=0,
        title="Voxels",
        description="Voxels of each crop, drawn anew among those of the brain, that the loss looks at: "
        "quicker where the loss takes longer than the network; 0 = all.",
    )
    monotone: float = Field(
        0.0,
        ge=0,
        title="Monotone weight",
        description="Weight of a hinge on the loss of a set of modalities above that of its own parts among "
        "the subsets of a step: more modalities should be no worse than fewer; 0 = off.",
    )
    mi_epsilon: float = Field(
        1e-4, gt=0, title="MI variance floor", description="Added to the variances of Eq. 3."
    )


class OptimizerConfig(_Part):
    """Adam and its schedule."""

    lr: float = Field(8e-4, gt=0, title="Learning rate", description="Learning rate at the start.")
    fusion_scale: float = Field(
        1.0,
        gt=0,
        title="Fusion's rate",
        description="Learning rate of the deep sets' layers beside that of all others: they may be new where "
        "the network is not.",
    )
    fusion_only: bool = Field(
        False,
        title="Fusion only",
        description="Train the deep sets' layers alone and leave all others as the checkpoint has them: a "
        "part of the time of a step.",
    )
    weight_decay: float = Field(1e-5, ge=0, title="Weight decay", description="L2 penalty of Adam.")
    batch: int = Field(8, ge=1, title="Batch", description="Crops of one optimiser step, over all processes.")
    micro_batch: int | None = Field(
        None,
        ge=1,
        title="Micro batch",
        description="Crops that a process takes at once; gradients are accumulated up to the batch.",
    )
    epochs: int = Field(600, ge=1, title="Epochs", description="Passes over the patients.")
    max_steps: int | None = Field(
        None, ge=1, title="Steps", description="Optimiser steps; takes the place of epochs."
    )
    max_minutes: float | None = Field(
        None,
        gt=0,
        title="Minutes",
        description="Time to train for, in the place of epochs; with steps, whichever ends first. The "
        "learning rate follows it. Pauses do not count.",
    )
    power: float = Field(
        0.9,
        ge=0,
        title="Schedule power",
        description="Polynomial decay: lr (1 - done)^power; 0 = none.",
    )
    warmup: int = Field(0, ge=0, title="Warm-up", description="Steps over which the learning rate rises.")
    clip: float | None = Field(
        None, gt=0, title="Gradient clipping", description="Largest gradient norm; none by default."
    )
    ema_decay: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="Weight averaging",
        description="Decay of the moving average of the weights that is validated and exported; 0 = off.",
    )


class ValidationConfig(_Part):
    """Hard Dice on every subset, while training."""

    every: int | None = Field(
        None,
        ge=1,
        title="Validate every",
        description="Optimiser steps between validations; else every epoch.",
    )
    patients: int = Field(16, ge=1, title="Validation patients", description="At most so many patients.")
    tile: int | None = Field(
        None,
        ge=8,
        title="Tile",
        description="Edge of the cubes that pass the network; the crop's by default.",
    )
    overlap: float = Field(0.25, ge=0, lt=1, title="Overlap", description="Overlap of neighbouring tiles.")


class HardwareConfig(_Part):
    """Where the run computes; changes speed, not the method."""

    device: str = Field(
        "auto", pattern="^(auto|cpu|cuda|mps)$", title="Device", description="auto, cpu, cuda or mps."
    )
    devices: int = Field(1, ge=1, title="Devices", description="Processes (GPUs) on each machine.")
    nodes: int = Field(1, ge=1, title="Machines", description="Machines that take part.")
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = Field(
        "32-true", title="Precision", description="Number format of the computation."
    )
    threads: int | None = Field(
        None, ge=1, title="Threads", description="CPU threads of each process; fixed at the start of the run."
    )
    compile: bool = Field(False, title="Compile", description="Use torch.compile on the network.")


class RunConfig(_Part):
    """What a run writes, and how often."""

    checkpoint_every: int = Field(
        250, ge=1, title="Checkpoint every", description="Optimiser steps between checkpoints to resume from."
    )
    log_every: int = Field(
        10, ge=1, title="Log every", description="Optimiser steps between lines of metrics."
    )


class TrainingConfig(_Part):
    """A whole run: `napari-rdl train --set part.field=value` changes any of it."""

    name: str = Field("napari-rdl", title="Name", description="Name of the model that the run makes.")
    seed: int = Field(0, ge=0, title="Seed", description="Seed of everything that is drawn.")
    start_from: str | None = Field(
        None,
        title="Start from",
        description="A checkpoint whose weights the run begins with, or the name of bundled ones, such as "
        "'shipped'; else random weights.",
    )
    data: DataConfig = Field(DataConfig(), title="Data", description="Patients and crops.")
    augment: AugmentConfig = Field(AugmentConfig(), title="Augmentation", description="Random changes.")
    network: DefaultArchitecture = Field(DefaultArchitecture(), title="Network", description="Architecture.")
    loss: LossConfig = Field(LossConfig(), title="Loss", description="Terms of Eq. 5.")
    optimizer: OptimizerConfig = Field(OptimizerConfig(), title="Optimiser", description="Adam.")
    validation: ValidationConfig = Field(ValidationConfig(), title="Validation", description="Hard Dice.")
    hardware: HardwareConfig = Field(HardwareConfig(), title="Hardware", description="Devices.")
    run: RunConfig = Field(RunConfig(), title="Run folder", description="Checkpoints and logs.")

    @model_validator(mode="after")
    def _fits(self) -> TrainingConfig:
        stride = self.network.stride
        for name, size in (("data.crop", self.data.crop), ("validation.tile", (self.tile,))):
            if any(length % stride for length in size):
                raise _unfit(
                    name,
                    f"{name} ({', '.join(map(str, size))}) must be divisible by {stride}, "
                    f"the stride of a network with {len(self.network.channels)} levels.",
                )
        if self.optimizer.batch % self.processes:
            raise _unfit(
                "optimizer.batch",
                f"optimizer.batch ({self.optimizer.batch}) must be divisible by the {self.processes} "
                "processes.",
            )
        if self.optimizer.micro_batch and self.local_batch % self.optimizer.micro_batch:
            raise _unfit(
                "optimizer.micro_batch",
                f"optimizer.micro_batch ({self.optimizer.micro_batch}) must divide the {self.local_batch} "
                "crops of each process.",
            )
        if self.optimizer.fusion_only and (
            self.network.fusion != "deep_sets" or self.loss.mutual_information
        ):
            raise _unfit(
                "optimizer.fusion_only",
                "optimizer.fusion_only needs network.fusion = deep_sets, and loss.mutual_information = 0: "
                "nothing that it compares would learn.",
            )
        if self.loss.dice + self.loss.divergence + self.loss.region_dice == 0:
            raise _unfit("", "loss: one of dice, divergence and region_dice must have a weight above 0.")
        return self

    @property
    def processes(self) -> int:
        """Processes over all machines."""
        return self.hardware.devices * self.hardware.nodes

    @property
    def local_batch(self) -> int:
        """Crops of each process in one optimiser step."""
        return self.optimizer.batch // self.processes

    @property
    def micro_batch(self) -> int:
        """Crops that a process takes at once."""
        return self.optimizer.micro_batch or self.local_batch

    @property
    def tile(self) -> int:
        """Edge of a validation tile in voxels."""
        return self.validation.tile or max(self.data.crop)
