"""Volumes with channels last, on a CPU without gradients: quicker than the library's kernels."""

from __future__ import annotations

import torch
from torch import Tensor

_WIDE = 1024
"""Numbers beside each other that are normalised with one call's inner loop."""


def normalise_(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float) -> None:
    """Group-normalise one sample where it lies, on a CPU and without gradients.

    The library's kernel is slow where a group is few channels, and in bf16. Channels last, some voxels beside
    each other are as wide as the processor's registers: they are taken for channels, and their moments
    brought together in float64.

    Parameters
    ----------
    x : Tensor
        (C, D, H, W); if channels last, nothing is copied.
    weight, bias : Tensor
        (C,) scale and shift.
    """
    channels, voxels = x.shape[0], x[0].numel()
    width = 1
    while voxels % (2 * width) == 0 and 2 * width * channels <= _WIDE:
        width *= 2
    by_voxel = x.permute(1, 2, 3, 0)
    rows = by_voxel.reshape(-1, width * channels)
    mean, variance = torch.batch_norm_update_stats(rows.t()[None, :, :, None], None, None, 0.0)
    shape = (width, groups, channels // groups)
    means, variances = mean.double().reshape(shape), variance.double().reshape(shape)
    of_group = means.mean((0, 2))[:, None]
    spread = (variances + (means - of_group).square()).mean((0, 2))[:, None]
    scale = weight.double().reshape(groups, -1) / (spread + eps).sqrt()
    shift = bias.double().reshape(groups, -1) - of_group * scale
    scale, shift = (side.reshape(-1).repeat(width).to(x.dtype) for side in (scale, shift))
    torch.addcmul(shift, rows, scale, out=rows)
    if rows.data_ptr() != x.data_ptr():
        by_voxel.copy_(rows.reshape(by_voxel.shape))


def doubled(x: Tensor) -> Tensor:
    """Return a volume twice as large along each axis: trilinear, corners not aligned.

    Every new voxel lies a quarter of a voxel from an old one, so it is three quarters of that and a quarter
    of the next; beyond the border stands what is at the border. One axis after the other, shortest rows
    first.

    Parameters
    ----------
    x : Tensor
        (N, C, D, H, W), channels last.

    Returns
    -------
    Tensor
        (N, C, 2D, 2H, 2W), channels last.
    """
    rows = x.permute(0, 2, 3, 4, 1)
    for axis in (3, 2, 1):
        count = rows.shape[axis] - 1
        out = rows.new_empty((*rows.shape[: axis + 1], 2, *rows.shape[axis + 1 :]))
        before, behind = out.unbind(axis + 1)
        left, right = rows.narrow(axis, 0, count), rows.narrow(axis, 1, count)
        torch.lerp(right, left, 0.25, out=before.narrow(axis, 1, count))
        torch.lerp(left, right, 0.25, out=behind.narrow(axis, 0, count))
        before.select(axis, 0).copy_(rows.select(axis, 0))
        behind.select(axis, count).copy_(rows.select(axis, count))
        rows = out.flatten(axis, axis + 1)
    return rows.permute(0, 4, 1, 2, 3)
