"""M3AE's two stages (Liu et al., AAAI 2023): what is masked is restored, then what is missing done without.

First, whole modalities and cubes of what remains are hidden behind images that are learnt along (model
inversion), and one network restores all of them: the mean squared error, and a penalty on what in the learnt
images strays from their mean. Then two sets of modalities of one crop are segmented, and their deepest
features are to agree. Where the paper is silent, facts are from the public code,
https://github.com/ccarliu/m3ae, commit 3a5eb45: ``pretrain.py`` and ``pre.sh`` (losses, rates), class
``Unet_missing`` of ``model/Unet.py`` and ``model/mask_utils.py`` (what is hidden).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_rdl.training.config import LossConfig, MethodConfig
from napari_rdl.training.data.crops import Batch
from napari_rdl.training.data.subsets import draw_by_count
from napari_rdl.training.losses.comparison import ComparisonObjective, Crops
from napari_rdl.training.losses.published import region_overlap_loss, region_targets
from napari_rdl.training.losses.total import StepLoss

_SPACE = (2, 3, 4)


def draw_visible(present: Tensor, places: int, hidden: float, rng: np.random.Generator) -> Tensor:
    """Draw which cubes of a sample are seen.

    Some of its modalities are left out, as `draw_by_count` draws them; of the cubes of the others so many are
    drawn that the share `hidden` of all cubes, those of what is missing included, is not seen.

    Parameters
    ----------
    present : Tensor
        (M,) bool.
    places : int
        Cubes of one modality.
    hidden : float
        Share of all cubes.
    rng : Generator
        The sample's own.

    Returns
    -------
    Tensor
        (M, places) bool.
    """
    kept = draw_by_count(present, rng)[:, None].expand(-1, places)
    candidates = kept.flatten().nonzero()[:, 0].numpy()
    count = min(int((1 - hidden) * kept.numel()), len(candidates))
    visible = torch.zeros(kept.numel(), dtype=torch.bool)
    visible[rng.choice(candidates, count, replace=False)] = True
    return visible.reshape(kept.shape)


class ConsistentObjective(ComparisonObjective):
    """The second stage: the regions at three levels, and that two subsets' deepest features agree.

    The paper compares the deepest features; the public code at the commit read compares the outputs of a
    deeper level. Here it is the paper's.
    """

    terms = ("dice", "consistency")

    def drawn(self, batch: Batch, rngs: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        """Return where the crops lie, and each one's subsets (S, B, M) in the place of the step's own."""
        present = batch["present"].cpu()
        sets = [
            torch.stack([draw_by_count(one, rng) for one, rng in zip(present, rngs, strict=True)])
            for _ in range(self.loss.subsets_per_step)
        ]
        return _where(batch) | ({"sets": torch.stack(sets)[:, :, self.order]} if sets else {})

    def _loss(self, crops: Crops) -> StepLoss:
        target = region_targets(crops.labels, self.network.config.regions)
        drawn = crops.drawn
        sets = drawn.get("sets", crops.subsets).to(crops.images.device)
        dice, features = crops.images.new_zeros(()), []
        for subset in sets:
            said = self.network(crops.images, subset, drawn.get("starts"), drawn.get("mirrored"))
            of_levels = [
                region_overlap_loss(one.float(), target, squared=True) for one in (said.logits, *said.deep)
            ]
            dice = dice + torch.stack(of_levels).sum() / len(sets)
            features.append(said.features.float())
        apart = [functional.mse_loss(one, other) for one, other in combinations(features, 2)]
        consistency = torch.stack(apart).mean() if apart else torch.zeros_like(dice)
        total = dice + self.method.consistency * consistency
        return StepLoss(total, torch.stack((dice, consistency)).detach())


class RestoringObjective(ComparisonObjective):
    """The first stage: what is hidden is restored, and the images that stand in for it are learnt along.

    Attributes
    ----------
    restore : Module
        Reads the modalities from the decoder; trained beside the network, and needed no more afterwards.
    """

    terms = ("restored", "images")

    def __init__(self, network: Any, method: MethodConfig, loss: LossConfig) -> None:
        super().__init__(network, method, loss)
        self.restore = nn.Conv3d(network.config.width, len(network.config.modalities), 1)
        # What segments is learnt in the second stage alone.
        network.head.requires_grad_(False)
        network.deep_heads.requires_grad_(False)

    def drawn(self, batch: Batch, rngs: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        """Return where the crops lie, and which cubes of them are seen (B, M, D/e, H/e, W/e), edge e."""
        edge = self.method.masked_edge
        shape = [length // edge for length in batch["images"].shape[2:]]
        present = batch["present"].cpu()[:, self.order]
        visible = [
            draw_visible(one, int(np.prod(shape)), self.method.masked_share, rng)
            for one, rng in zip(present, rngs, strict=True)
        ]
        return _where(batch) | {"visible": torch.stack(visible).unflatten(2, shape)}

    def _loss(self, crops: Crops) -> StepLoss:
        images, drawn = crops.images, crops.drawn
        visible = drawn["visible"].to(images.device)
        for axis in _SPACE:
            visible = visible.repeat_interleave(self.method.masked_edge, axis)
        said = self.network(images, visible, drawn.get("starts"), drawn.get("mirrored"))
        apart = (self.restore(said.shallow).float() - images).square().mean(_SPACE)
        restored = (apart * crops.present).sum() / crops.present.sum()
        learnt = self.network.substitute
        strays = torch.linalg.vector_norm(learnt - learnt.mean(_SPACE, keepdim=True))
        total = restored + self.method.images_penalty * strays
        return StepLoss(total, torch.stack((restored, strays)).detach())


def _where(batch: Batch) -> dict[str, Tensor]:
    """Return where a batch's crops lie in their patients' brains, where that is known."""
    found = {}
    if "starts" in batch:
        found["starts"] = batch["starts"]
    if "mirrored" in batch:
        found["mirrored"] = batch["mirrored"]
    return found
