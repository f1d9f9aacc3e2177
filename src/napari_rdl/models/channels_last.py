"""Volumes with channels last, on a CPU: quicker than the library's kernels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_WIDE = 1024
"""Numbers beside each other that are normalised with one call's inner loop."""


def normalise_(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float) -> None:
    """Group-normalise one sample where it lies, without gradients.

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
    rows = _rows(x)
    _normalise(rows, groups, weight.double(), bias.double(), eps, rows)
    by_voxel = x.permute(1, 2, 3, 0)
    if rows.data_ptr() != by_voxel.data_ptr():
        by_voxel.copy_(rows.reshape(by_voxel.shape))


def group_norm(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Group-normalise a batch, each sample with a scale and shift of its own, to be differentiated once.

    As `normalise_`. The derivative with respect to `x` is, channel by channel, a sum of what comes back and
    of `x` with constant factors, as that of any normalisation: two passes over memory.

    Parameters
    ----------
    x : Tensor
        (N, C, D, H, W).
    weight, bias : Tensor
        (N, C).

    Returns
    -------
    Tensor
        As `x`, channels last.
    """
    return _GroupNorm.apply(x, weight, bias, groups, eps)


class _GroupNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last_3d)
        out, means, inverses = torch.empty_like(x), [], []
        for sample, written, scale, shift in zip(x, out, weight.double(), bias.double(), strict=True):
            mean, inverse = _normalise(_rows(sample), groups, scale, shift, eps, _rows(written))
            means.append(mean)
            inverses.append(inverse)
        ctx.save_for_backward(x, weight, torch.stack(means), torch.stack(inverses))
        ctx.groups = groups
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        x, weight, means, inverses = ctx.saved_tensors
        given = given.to(x.dtype).contiguous(memory_format=torch.channels_last_3d)
        out, scales, shifts = torch.empty_like(x), [], []
        channels, count = x.shape[1], x[0].numel() // ctx.groups
        for sample, back, written, scale, mean, inverse in zip(
            x, given, out, weight.double(), means, inverses, strict=True
        ):
            rows, back = _rows(sample), _rows(back)
            shift_gradient = back.sum(0).double().reshape(-1, channels).sum(0)
            product = (back * rows).sum(0).double().reshape(-1, channels).sum(0)
            scale_gradient = (product - mean * shift_gradient) * inverse
            of_x = -inverse.square() * _of_groups(scale * scale_gradient, ctx.groups) / count
            rest = -inverse * _of_groups(scale * shift_gradient, ctx.groups) / count - of_x * mean
            written = _rows(written)
            torch.addcmul(_along(rest, rows), rows, _along(of_x, rows), out=written)
            written.addcmul_(back, _along(scale * inverse, rows))
            scales.append(scale_gradient)
            shifts.append(shift_gradient)
        return out, torch.stack(scales).to(weight), torch.stack(shifts).to(weight), None, None


def _rows(x: Tensor) -> Tensor:
    """Return a sample (C, D, H, W) as rows of some voxels each; a view if it is channels last."""
    channels, voxels = x.shape[0], x[0].numel()
    width = 1
    while voxels % (2 * width) == 0 and 2 * width * channels <= _WIDE:
        width *= 2
    return x.permute(1, 2, 3, 0).reshape(-1, width * channels)


def _normalise(
    rows: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, out: Tensor
) -> tuple[Tensor, Tensor]:
    """Write normalised rows into `out`, which may be the rows; return what `_moments` does."""
    mean, inverse = _moments(rows, len(weight), groups, eps)
    scale = weight * inverse
    torch.addcmul(_along(bias - mean * scale, rows), rows, _along(scale, rows), out=out)
    return mean, inverse


def _moments(rows: Tensor, channels: int, groups: int, eps: float) -> tuple[Tensor, Tensor]:
    """Return the mean of each channel's group, and one over its spread: (C,) float64."""
    mean, variance = torch.batch_norm_update_stats(rows.t()[None, :, :, None], None, None, 0.0)
    shape = (-1, groups, channels // groups)
    means, variances = mean.double().reshape(shape), variance.double().reshape(shape)
    of_group = means.mean((0, 2), keepdim=True)
    spread = (variances + (means - of_group).square()).mean((0, 2), keepdim=True)
    both = (of_group, (spread + eps).rsqrt())
    center, inverse = (one.expand(1, groups, channels // groups).reshape(-1) for one in both)
    return center, inverse


def _of_groups(values: Tensor, groups: int) -> Tensor:
    """Return for each channel the sum over its group: (C,) -> (C,)."""
    by_group = values.reshape(groups, -1)
    return by_group.sum(1, keepdim=True).expand_as(by_group).reshape(-1)


def _along(values: Tensor, rows: Tensor) -> Tensor:
    """Return a number for each channel as a row, in its precision."""
    return values.repeat(rows.shape[1] // len(values)).to(rows.dtype)


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
