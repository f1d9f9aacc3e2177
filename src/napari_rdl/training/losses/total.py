"""L_all (Eq. 5): one forward pass, and the loss over as many subsets as asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_rdl.models import TrainedNetwork, fuse_features
from napari_rdl.models.patches import at_places, fold
from napari_rdl.training.config import LossConfig
from napari_rdl.training.losses.dice import dice_loss, region_dice_loss
from napari_rdl.training.losses.divergence import (
    label_divergence,
    soft_label_divergence,
    teacher_divergence,
)
from napari_rdl.training.losses.mutual_information import GaussianTransfer, level_weights

TERMS = ("dice", "divergence", "region_dice", "mutual_information")


class StepLoss(NamedTuple):
    """The loss of a step.

    Attributes
    ----------
    total : Tensor
        Scalar to be differentiated: the mean over samples.
    terms : Tensor
        The unweighted terms in the objective's order (`TERMS` for ours), detached.
    parts : tuple of Tensor
        Objectives whose gradients are to be decoupled, in the place of that of `total`; none as a rule.
    """

    total: Tensor
    terms: Tensor
    parts: tuple[Tensor, ...] = ()


class Objective(nn.Module):
    """The network together with what is trained beside it (mu and sigma of L_MI).

    It is one module, so that a data-parallel wrapper sees one forward pass.
    """

    terms = TERMS
    done: float

    def __init__(self, network: TrainedNetwork, config: LossConfig) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.done = 1.0
        channels = network.config.channels
        self.transfer = nn.ModuleList(
            GaussianTransfer(count, config.mi_epsilon) for count in channels if config.mutual_information
        )

    def forward(
        self,
        images: Tensor,
        labels: Tensor,
        present: Tensor,
        subsets: Tensor,
        weights: Tensor,
        missing: Tensor,
        missing_valid: Tensor,
    ) -> StepLoss:
        """Return the loss of a batch.

        Parameters
        ----------
        images : Tensor
            (B, M, D, H, W).
        labels : Tensor
            (B, D, H, W) class indices, int64.
        present : Tensor
            (B, M), bool.
        subsets, weights : Tensor
            (S, B, M) and (S, B): what is supervised, from `draw_subsets`.
        missing, missing_valid : Tensor
            (B, M) and (B,): the subset of L_MI, from `draw_proper_subset`.
        """
        patch, device = self.network.config.patch, images.device.type
        brain = functional.max_pool3d((images != 0).float(), patch) * present[..., None, None, None]
        folded = fold(labels[:, None], patch)
        places = None
        if self.config.voxels:
            places = _places(brain.any(1), self.config.voxels)
            brain, folded = at_places(brain, places), at_places(folded, places)
        output = self.network(images, present, places)
        mixed = torch.is_autocast_enabled(device)
        terms = output.terms(torch.get_autocast_dtype(device) if mixed else torch.float32)
        if not self.network.linear:
            # As at inference: outside its own brain a modality adds nothing to the sum.
            terms = terms * brain.to(terms)[:, :, None]
        supervised, parts = _SupervisedSubsets.apply(
            terms,
            folded,
            present,
            subsets,
            weights,
            self.config,
            self.network,
            *self.network.readers(),
        )
        transferred = supervised.new_zeros(())
        if self.transfer:
            transferred = self._transfer(output.features, present, missing, missing_valid)
            supervised = supervised + self.config.mutual_information * transferred
        return StepLoss(supervised, torch.cat((parts, transferred.detach().reshape(1))))

    @torch.no_grad()
    def residuals(self, images: Tensor, present: Tensor, missing: Tensor, valid: Tensor) -> list[Tensor]:
        """Return each level's squared residuals (C,) of L_MI on a batch, to start its variances from."""
        features = self.network(images, present).features
        pairs = zip(self.transfer, self._pairs(features, present, missing), strict=True)
        share = valid / valid.sum().clamp(min=1)
        return [(transfer.squared_residual(*pair) * share[:, None]).sum(0) for transfer, pair in pairs]  # type: ignore[operator]

    def _transfer(
        self, features: tuple[Tensor, ...], present: Tensor, missing: Tensor, valid: Tensor
    ) -> Tensor:
        """Return sum_k gamma_k (-log q_k) (Eq. 2), the mean over samples."""
        total = torch.zeros(len(present), device=present.device)
        pairs = self._pairs(features, present, missing)
        with torch.autocast(total.device.type, enabled=False):
            for gamma, transfer, pair in zip(level_weights(len(features)), self.transfer, pairs, strict=True):
                total = total + gamma * transfer(*pair)
        return (total * valid).mean()

    @staticmethod
    def _pairs(
        features: tuple[Tensor, ...], present: Tensor, missing: Tensor
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (d_f, d_m) of each level, float32; the first teaches."""
        for level in features:
            level = level.float()
            yield (
                fuse_features(level.detach(), present[None])[0],
                fuse_features(level, missing[None])[0],
            )


class _SupervisedSubsets(torch.autograd.Function):
    """Dice and divergence over many subsets, differentiated subset by subset.

    The gradient with respect to the modalities' terms, and to what reads their sum, is built up while
    the loss is computed, so only one subset's volumes exist at a time: fifteen subsets stay small beside
    the backbone, in memory and in time. A subset's sum passes its gradient on to each of its members.

    The hinge (`LossConfig.monotone`) is the mean of max(0, L_S - L_s) over pairs s < S among a sample's
    drawn subsets, where L_s is a constant: a set is pulled to where none of its parts is better.
    """

    @staticmethod
    def forward(
        ctx: Any,
        terms: Tensor,
        labels: Tensor,
        present: Tensor,
        subsets: Tensor,
        weights: Tensor,
        config: LossConfig,
        network: TrainedNetwork,
        *readers: Tensor,
    ) -> tuple[Tensor, Tensor]:
        batch = len(terms)
        device = terms.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        classes = network.config.classes
        with torch.autocast(device, enabled=False):
            flat = terms.detach().flatten(3)
            flat_labels = labels.flatten(1)
            target = torch.stack([flat_labels == index for index in range(len(classes))], 1).float()

            def read(total: Tensor) -> Tensor:
                return network.read_folded(total, dtype).float().reshape(batch, len(classes), -1)

            teacher = None
            if config.target == "full" and config.divergence:
                teacher = read(_sum(flat, present.cpu())).log_softmax(1)
            gradient = torch.zeros_like(flat, dtype=torch.float32)
            of_readers = [torch.zeros_like(reader, dtype=torch.float32) for reader in readers]
            total, values = target.new_zeros(()), target.new_zeros(3)
            # Membership decides which kernels run, so it is needed on the CPU.
            subsets, weights = subsets.cpu(), weights.cpu()
            smaller = _smaller_drawn(subsets, weights)
            losses: list[Tensor] = []
            for place, (subset, weight) in enumerate(zip(subsets, weights, strict=True)):
                if not bool(weight.any()):
                    losses.append(target.new_zeros(batch))
                    continue
                with torch.enable_grad():
                    leaf = _sum(flat, subset).requires_grad_()
                    parts = torch.stack(
                        _subset_terms(read(leaf), flat_labels, target, teacher, config, classes)
                    )
                    loss = (
                        config.dice * parts[0] + config.divergence * parts[1] + config.region_dice * parts[2]
                    )
                    losses.append(loss.detach())
                    counted = weight.to(loss)
                    total += (losses[-1] * counted).sum() / batch
                    if config.monotone and place:
                        excess = losses[-1] - torch.stack(losses[:-1])
                        pairs = config.monotone * smaller[place, :place].to(loss)
                        total += (excess.clamp(min=0) * pairs).sum() / batch
                        counted = counted + ((excess > 0) * pairs).sum(0)
                    step, *steps = torch.autograd.grad((loss * counted).sum() / batch, (leaf, *readers))
                values += (parts.detach() * weight.to(loss)).sum(1) / batch
                _spread(gradient, step, subset)
                for summed, one in zip(of_readers, steps, strict=True):
                    summed += one
        ctx.shape, ctx.dtype = terms.shape, terms.dtype
        ctx.save_for_backward(gradient, *of_readers)
        ctx.mark_non_differentiable(values)
        return total, values

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        scale = outputs[0]
        gradient, *of_readers = ctx.saved_tensors
        of_terms = (gradient * scale).reshape(ctx.shape).to(ctx.dtype)
        return (of_terms, *(None,) * 6, *(scale * one for one in of_readers))


def _places(brain: Tensor, count: int) -> Tensor:
    """Draw `count` voxels (B, count) of each brain (B, x, y, z); of any voxels where there is no brain."""
    rows = []
    for mask in brain.flatten(1):
        found = mask.nonzero()[:, 0]
        if not len(found):
            found = torch.arange(len(mask), device=mask.device)
        rows.append(found[torch.randint(len(found), (count,)).to(found.device)])
    return torch.stack(rows)


def _sum(flat: Tensor, subset: Tensor) -> Tensor:
    """Return the summed terms (B, T, V) of a subset (B, M), from (B, M, T, V)."""
    total = torch.zeros_like(flat[:, 0], dtype=torch.float32)
    for m in range(subset.shape[1]):
        member = subset[:, m]
        if bool(member.all()):
            total += flat[:, m]
        elif bool(member.any()):
            total += torch.where(member.to(flat.device).reshape(-1, 1, 1), flat[:, m], 0)
    return total


def _spread(gradient: Tensor, step: Tensor, subset: Tensor) -> None:
    """Add a subset's gradient (B, T, V) to that of each of its modalities (B, M, T, V), in place."""
    for m in range(subset.shape[1]):
        member = subset[:, m]
        if bool(member.all()):
            gradient[:, m] += step
        elif bool(member.any()):
            gradient[:, m] += step * member.to(step).reshape(-1, 1, 1)


def _smaller_drawn(subsets: Tensor, weights: Tensor) -> Tensor:
    """Return (S, S, B): what the pair counts where the second subset is a proper part of the first.

    Each sample's pairs count 1 together.
    """
    drawn = weights > 0
    part = ~(subsets[None] & ~subsets[:, None]).any(-1) & (subsets[:, None] & ~subsets[None]).any(-1)
    part &= drawn[:, None] & drawn[None]
    return part / part.sum((0, 1)).clamp(min=1)


def _subset_terms(
    fused: Tensor,
    labels: Tensor,
    target: Tensor,
    teacher: Tensor | None,
    config: LossConfig,
    classes: tuple[str, ...],
) -> tuple[Tensor, Tensor, Tensor]:
    """Return Dice, divergence and region Dice of each sample, (B,) each; zeros for what is off."""
    zero = fused.new_zeros(len(fused))
    of_dice = of_regions = zero
    if config.dice or config.region_dice:
        probabilities = fused.softmax(1)
        of_dice = dice_loss(probabilities, target) if config.dice else zero
        if config.region_dice:
            of_regions = region_dice_loss(probabilities, target, classes, config.absent_voxels)
    if not config.divergence:
        return of_dice, zero, of_regions
    if config.target == "softmax_label":
        voxels = soft_label_divergence(config.kind, fused, target, config.alpha)
    elif teacher is not None:
        voxels = teacher_divergence(config.kind, fused.log_softmax(1), teacher, config.alpha)
    else:
        voxels = label_divergence(config.kind, fused, labels, target, config.alpha)
    return of_dice, voxels.mean(1), of_regions
