"""L_all (Eq. 5): one forward pass, and the loss over as many subsets as asked."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_rdl.models import RobustNet, fuse_features
from napari_rdl.training.config import LossConfig
from napari_rdl.training.losses.dice import dice_loss, region_dice_loss
from napari_rdl.training.losses.divergence import label_divergence, teacher_divergence
from napari_rdl.training.losses.mutual_information import GaussianTransfer, level_weights

TERMS = ("dice", "divergence", "region_dice", "mutual_information")


class StepLoss(NamedTuple):
    """The loss of a step.

    Attributes
    ----------
    total : Tensor
        Scalar to be differentiated: the mean over samples.
    terms : Tensor
        (4,) the unweighted terms in the order of `TERMS`, detached.
    """

    total: Tensor
    terms: Tensor


class Objective(nn.Module):
    """The network together with what is trained beside it (mu and sigma of L_MI).

    It is one module, so that a data-parallel wrapper sees one forward pass.
    """

    def __init__(self, network: RobustNet, config: LossConfig) -> None:
        super().__init__()
        self.network = network
        self.config = config
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
        output = self.network(images, present)
        supervised, terms = _SupervisedSubsets.apply(
            output.logits,
            output.gate,
            labels,
            present,
            subsets,
            weights,
            self.config,
            self.network.config.classes,
        )
        transferred = supervised.new_zeros(())
        if self.transfer:
            transferred = self._transfer(output.features, present, missing, missing_valid)
            supervised = supervised + self.config.mutual_information * transferred
        return StepLoss(supervised, torch.cat((terms, transferred.detach().reshape(1))))

    def _transfer(
        self, features: tuple[Tensor, ...], present: Tensor, missing: Tensor, valid: Tensor
    ) -> Tensor:
        """Return sum_k gamma_k (-log q_k) (Eq. 2), the mean over samples."""
        total = torch.zeros(len(present), device=present.device)
        for gamma, transfer, level in zip(level_weights(len(features)), self.transfer, features, strict=True):
            with torch.autocast(level.device.type, enabled=False):
                level = level.float()
                of_all = fuse_features(level.detach(), present[None])[0]
                total = total + gamma * transfer(of_all, fuse_features(level, missing[None])[0])
        return (total * valid).mean()


class _SupervisedSubsets(torch.autograd.Function):
    """Dice and divergence over many subsets, differentiated subset by subset.

    The gradient with respect to the modalities' logits is built up while the loss is computed, so
    only one subset's volumes exist at a time: fifteen subsets stay small beside the backbone, in
    memory and in time. Both fusions are z = sum_m e_m l_m / sum_m e_m over the subset (e_m = 1 for the
    mean), so with G_m = sum_S dL/dz_S / E_S and H_m = -sum_S (dL/dz_S . z_S) / E_S over the subsets
    that hold m, dL/dl_m = e_m G_m and dL/dg_m = e_m (G_m . l_m + H_m).
    """

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        gate: Tensor | None,
        labels: Tensor,
        present: Tensor,
        subsets: Tensor,
        weights: Tensor,
        config: LossConfig,
        classes: tuple[str, ...],
    ) -> tuple[Tensor, Tensor]:
        batch, modalities, count = logits.shape[:3]
        with torch.autocast(logits.device.type, enabled=False):
            flat = logits.detach().float().flatten(3)
            scores = None if gate is None else gate.detach().float().flatten(3).exp()
            terms_of = [
                flat[:, m] if scores is None else flat[:, m] * scores[:, m] for m in range(modalities)
            ]
            share_of = [None if scores is None else scores[:, m] for m in range(modalities)]
            flat_labels = labels.flatten(1)
            target = functional.one_hot(flat_labels, count).movedim(-1, 1).to(flat.dtype).contiguous()
            teacher = None
            if config.target == "full" and config.divergence:
                fused, _ = _fuse(terms_of, share_of, present)
                teacher = fused.log_softmax(1)
            gradient = torch.zeros_like(flat)
            score_gradient = None if scores is None else torch.zeros_like(scores)
            total, terms = flat.new_zeros(()), flat.new_zeros(3)
            # Membership decides which kernels run, so it is needed on the CPU.
            for subset, weight in zip(subsets.cpu(), weights.cpu(), strict=True):
                if not bool(weight.any()):
                    continue
                fused, divisor = _fuse(terms_of, share_of, subset)
                with torch.enable_grad():
                    leaf = fused.requires_grad_()
                    parts = _subset_terms(leaf, flat_labels, target, teacher, config, classes)
                    scaled = torch.stack([(part * weight.to(part)).sum() / batch for part in parts])
                    loss = (
                        config.dice * scaled[0]
                        + config.divergence * scaled[1]
                        + config.region_dice * scaled[2]
                    )
                    (step,) = torch.autograd.grad(loss, leaf)
                total += loss.detach()
                terms += scaled.detach()
                _spread(gradient, score_gradient, step, leaf.detach(), divisor, subset)
            if scores is not None and score_gradient is not None:
                score_gradient = scores * (score_gradient + (gradient * flat).sum(2, keepdim=True))
                gradient = gradient * scores
        ctx.shapes = (logits.shape, logits.dtype, None if gate is None else (gate.shape, gate.dtype))
        ctx.save_for_backward(gradient, score_gradient)
        ctx.mark_non_differentiable(terms)
        return total, terms

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        scale = outputs[0]
        shape, dtype, of_gate = ctx.shapes
        gradient, score_gradient = ctx.saved_tensors
        for_gate = None
        if of_gate is not None:
            for_gate = (score_gradient * scale).reshape(of_gate[0]).to(of_gate[1])
        return (gradient * scale).reshape(shape).to(dtype), for_gate, None, None, None, None, None, None


def _fuse(terms: list[Tensor], shares: list[Tensor | None], subset: Tensor) -> tuple[Tensor, Tensor]:
    """Return fused logits (B, J, V) and the divisor (B, 1, V) or (B, 1, 1) of a subset (B, M)."""
    same = bool((subset == subset[:1]).all())
    fused: Tensor | None = None
    divisor: Tensor | None = None
    for m, (term, share) in enumerate(zip(terms, shares, strict=True)):
        member = subset[:, m]
        if not bool(member.any()):
            continue
        weight = member.to(term).reshape(-1, 1, 1)
        part = term if same else torch.where(weight > 0, term, 0)
        size = weight if share is None else (share if same else share * weight)
        # The first sum is a copy, so that adding to it does not change a modality's own term.
        fused = part.clone() if fused is None else fused.add_(part)
        divisor = size.clone() if divisor is None else divisor.add_(size)
    assert fused is not None
    assert divisor is not None
    return fused.div_(divisor), divisor


def _spread(
    gradient: Tensor,
    score_gradient: Tensor | None,
    step: Tensor,
    fused: Tensor,
    divisor: Tensor,
    subset: Tensor,
) -> None:
    """Add a subset's gradient (B, J, V) to G_m (and H_m) of its modalities, in place."""
    if score_gradient is not None:
        score_step = -(step * fused).sum(1, keepdim=True) / divisor
    step = step / divisor
    for m in range(subset.shape[1]):
        member = subset[:, m]
        if bool(member.all()):
            gradient[:, m] += step
            if score_gradient is not None:
                score_gradient[:, m] += score_step
        elif bool(member.any()):
            chosen = member.to(step).reshape(-1, 1, 1)
            gradient[:, m] += step * chosen
            if score_gradient is not None:
                score_gradient[:, m] += score_step * chosen


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
    if teacher is not None:
        voxels = teacher_divergence(config.kind, fused.log_softmax(1), teacher, config.alpha)
    else:
        voxels = label_divergence(config.kind, fused, labels, target, config.alpha)
    return of_dice, voxels.mean(1), of_regions
