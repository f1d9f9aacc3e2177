"""What the comparison methods ask of a batch, in the place of Eq. 5."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from napari_rdl.training.config import LossConfig, MethodConfig
from napari_rdl.training.data.crops import Batch
from napari_rdl.training.losses.published import fused_loss, region_overlap_loss, region_targets
from napari_rdl.training.losses.total import StepLoss


class Crops(NamedTuple):
    """A batch, its modalities in the network's own order.

    Attributes
    ----------
    images, labels, present, subsets, weights : Tensor
        As of `Objective.forward`.
    drawn : dict
        What the objective drew for these crops by itself.
    """

    images: Tensor
    labels: Tensor
    present: Tensor
    subsets: Tensor
    weights: Tensor
    drawn: dict[str, Tensor]


class ComparisonObjective(nn.Module, ABC):
    """A comparison method's network and its losses; the face is that of `Objective`.

    Attributes
    ----------
    network : Module
    terms : tuple of str
        What the losses are called, in their order.
    transfer : ModuleList
        Empty: nothing is trained beside the network.
    done : float
        Share of the run that lies behind.
    order : list of int
        The network's own order of the modalities.
    """

    terms: tuple[str, ...]

    def __init__(self, network: Any, method: MethodConfig, loss: LossConfig) -> None:
        super().__init__()
        self.network = network
        self.method, self.loss = method, loss
        self.transfer = nn.ModuleList()
        self.done = 1.0
        config = network.config
        self.order = [config.modalities.index(name) for name in config.inputs]

    def drawn(self, batch: Batch, rngs: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        """Return what the objective draws for a batch by itself, or wants to know of it; `forward` gets it.

        Parameters
        ----------
        batch : Batch
            As it comes from the data.
        rngs : sequence of Generator
            One for each sample.
        """
        del batch, rngs
        return {}

    def forward(
        self,
        images: Tensor,
        labels: Tensor,
        present: Tensor,
        subsets: Tensor,
        weights: Tensor,
        missing: Tensor,
        missing_valid: Tensor,
        **drawn: Tensor,
    ) -> StepLoss:
        """Return the loss of a batch; parameters as of `Objective.forward`, and what `drawn` returned."""
        images, present, subsets = images[:, self.order], present[:, self.order], subsets[:, :, self.order]
        return self._loss(Crops(images, labels, present, subsets, weights, drawn))

    @abstractmethod
    def _loss(self, crops: Crops) -> StepLoss:
        """Return the loss of a batch."""


class FusedObjective(ComparisonObjective):
    """RFNet's and mmFormer's: the fused prediction, each modality's alone, and each level's."""

    terms = ("fused", "separate", "deep")

    def _loss(self, crops: Crops) -> StepLoss:
        images, labels, present, subsets, weights, _ = crops
        target = _one_hot(labels, len(self.network.config.classes))
        parts = images.new_zeros(3)
        separate: Sequence[Tensor] = ()
        for number, (subset, weight) in enumerate(zip(subsets, weights, strict=True)):
            rows = weight > 0
            if not bool(rows.any()):
                continue
            asked = present[rows] if not number else None
            logits, said = self.network(images[rows], subset[rows], auxiliary=asked)
            separate = said.separate or separate
            share = weight[rows].mean()
            deep = torch.stack([fused_loss(one.float(), target[rows]) for one in said.deep]).sum()
            fused = fused_loss(logits.float().softmax(1), target[rows])
            parts = parts + share * torch.stack((fused, torch.zeros_like(fused), deep))
            if asked is not None:
                alone = [
                    fused_loss(one[asked[:, index]].float(), target[rows][asked[:, index]])
                    for index, one in enumerate(said.separate)
                    if bool(asked[:, index].any())
                ]
                zero = torch.zeros_like(fused)
                parts = parts + torch.stack((zero, torch.stack(alone).sum(), zero))
        begun = 1.0 if self.done >= self.method.fused_from else 0.0
        return StepLoss(begun * parts[0] + parts[1] + parts[2], parts.detach())


class DecoupledObjective(ComparisonObjective):
    """GMD's: an objective for each choice of modalities that are left out; their gradients are decoupled."""

    terms = ("dice",)

    def _loss(self, crops: Crops) -> StepLoss:
        images, labels, present = crops.images, crops.labels, crops.present
        network = self.network
        target = region_targets(labels, network.config.regions)
        count = images.shape[1]
        there = [index for index in range(count) if bool(present[:, index].any())]
        said = {
            index: network(images[:, index : index + 1], [index] * len(images)).float() for index in there
        }
        kept = max(min(len(there), count - self.method.left_out), 1)
        losses = []
        for chosen in combinations(there, kept):
            weight = present[:, list(chosen)].float()[..., None, None, None, None]
            mean = (torch.stack([said[index] for index in chosen], 1) * weight).sum(1)
            rows = weight.sum(1).flatten() > 0
            if bool(rows.any()):
                mean = mean[rows] / weight.sum(1)[rows]
                losses.append(region_overlap_loss(mean, target[rows], squared=False))
        total = torch.stack(losses).mean()
        return StepLoss(total, total.detach()[None], tuple(losses))


def _one_hot(labels: Tensor, classes: int) -> Tensor:
    return torch.stack([labels == index for index in range(classes)], 1).float()
