"""A whole run: all of its parts, and what they have to agree on."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from napari_rdl.models import METHODS, Architecture, DefaultArchitecture
from napari_rdl.training.config.augment import AugmentConfig
from napari_rdl.training.config.data import DataConfig
from napari_rdl.training.config.loss import LossConfig
from napari_rdl.training.config.method import MethodConfig
from napari_rdl.training.config.optimizer import OptimizerConfig
from napari_rdl.training.config.part import Part, must_be_places, unfit
from napari_rdl.training.config.run import HardwareConfig, RunConfig, ValidationConfig


class TrainingConfig(Part):
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
    method: MethodConfig = Field(MethodConfig(), title="Method", description="Ours or another.")
    network: DefaultArchitecture = Field(DefaultArchitecture(), title="Network", description="Architecture.")
    loss: LossConfig = Field(LossConfig(), title="Loss", description="Terms of Eq. 5.")
    optimizer: OptimizerConfig = Field(OptimizerConfig(), title="Optimiser", description="Adam.")
    validation: ValidationConfig = Field(ValidationConfig(), title="Validation", description="Hard Dice.")
    hardware: HardwareConfig = Field(HardwareConfig(), title="Hardware", description="Devices.")
    run: RunConfig = Field(RunConfig(), title="Run folder", description="Checkpoints and logs.")

    _places = field_validator("start_from")(must_be_places)

    @model_validator(mode="after")
    def _fits(self) -> TrainingConfig:
        self._refuse_unfit_method()
        stride = self.architecture.stride
        for name, size in (("data.crop", self.data.crop), ("validation.tile", (self.tile,))):
            if any(length % stride for length in size):
                raise unfit(
                    name,
                    f"{name} ({', '.join(map(str, size))}) must be divisible by {stride}, "
                    + (
                        f"the stride of a network with {len(self.network.channels)} levels."
                        if self.method.name == "rdl"
                        else f"the stride of {self.method.name}."
                    ),
                )
        if self.optimizer.batch % self.processes:
            raise unfit(
                "optimizer.batch",
                f"optimizer.batch ({self.optimizer.batch}) must be divisible by the {self.processes} "
                "processes.",
            )
        if self.optimizer.micro_batch and self.local_batch % self.optimizer.micro_batch:
            raise unfit(
                "optimizer.micro_batch",
                f"optimizer.micro_batch ({self.optimizer.micro_batch}) must divide the {self.local_batch} "
                "crops of each process.",
            )
        if self.optimizer.fusion_only and (
            self.network.fusion != "deep_sets" or self.loss.mutual_information
        ):
            raise unfit(
                "optimizer.fusion_only",
                "optimizer.fusion_only needs network.fusion = deep_sets, and loss.mutual_information = 0: "
                "nothing that it compares would learn.",
            )
        if self.loss.dice + self.loss.divergence + self.loss.region_dice == 0:
            raise unfit("", "loss: one of dice, divergence and region_dice must have a weight above 0.")
        return self

    def _refuse_unfit_method(self) -> None:
        method, hardware = self.method, self.hardware
        if method.name == "mmformer" and (len(set(self.data.crop)) > 1 or self.data.crop[0] % 16):
            raise unfit("data.crop", "data.crop must be a cube of a multiple of 16 voxels for mmformer.")
        if method.name == "gmd" and (self.processes > 1 or hardware.precision == "16-mixed"):
            raise unfit(
                "hardware",
                "gmd takes its steps in one process, and not in 16-mixed: it changes gradients itself.",
            )
        self._refuse_unfit_m3ae()
        try:
            architecture = self.architecture
        except ValueError as error:
            raise unfit(
                "method.width", f"method.width ({method.width}) is no width of {method.name}."
            ) from error
        if method.name != "rdl" and architecture.modalities != self.network.modalities:
            raise unfit("network.modalities", f"{method.name} knows the four modalities of BraTS alone.")

    def _refuse_unfit_m3ae(self) -> None:
        method, data = self.method, self.data
        if method.stage == "masked":
            if method.name != "m3ae":
                raise unfit("method.stage", f"method.stage: {method.name} has no masked stage; m3ae has.")
            if any(length % method.masked_edge for length in data.crop):
                raise unfit(
                    "data.crop", f"data.crop must be divisible by method.masked_edge ({method.masked_edge})."
                )
        if method.name == "m3ae" and data.resident_gb and method.substitute not in (None, data.crop):
            raise unfit(
                "data.resident_gb",
                "data.resident_gb must be 0 where m3ae learns images larger than a crop: a resident crop "
                "does not say where it lies.",
            )

    @property
    def architecture(self) -> Architecture:
        """What is trained: `network`, or the comparison method's, as wide as asked."""
        method = self.method
        if method.name == "rdl":
            return self.network
        sizes: dict[str, object] = {} if method.width is None else {"width": method.width}
        if method.name == "mmformer":
            sizes["grid"] = self.data.crop[0] // 16
            if method.width is not None:
                # A token has 64 times as many numbers as a voxel, as published.
                sizes |= {"embedding": 64 * method.width, "hidden": 512 * method.width}
        if method.name == "m3ae":
            sizes["substitute"] = method.substitute or self.data.crop
        return METHODS[method.name].architecture.model_validate(sizes)

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
