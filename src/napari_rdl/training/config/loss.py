"""The terms of the loss."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from napari_rdl.training.config.part import Part

Divergence = Literal[
    "holder",
    "cross_entropy",
    "kl",
    "total_variation",
    "squared_hellinger",
    "neyman_chi2",
    "jensen_shannon",
]


class LossConfig(Part):
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
    target: Literal["label", "softmax_label", "full"] = Field(
        "label",
        title="Divergence target",
        description="The label (Eq. 5); its softmax, as Eq. 1 has it to the letter (0.475 for its class, "
        "0.175 for each other); or the full-modality prediction as a teacher.",
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
        description="How much the set of all modalities counts beside any other subset: in a step of all of "
        "them, and in the mean over steps where some are drawn.",
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
