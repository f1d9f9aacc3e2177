"""M(.): the dynamic combination. What is absent is left out, never zero-filled.

Both fusions are sums over the present modalities, divided by something positive that is common to
all classes, so they do not depend on the order of the modalities and the divisor never changes
the most probable class:

- ``mean``: sum of logits_i / number present;
- ``gated``: sum of exp(g_i) logits_i / sum of exp(g_i), with g_i bounded and from h_i alone.
"""

from __future__ import annotations

import torch
from torch import Tensor


def weigh(logits: Tensor, gate: Tensor | None) -> Tensor:
    """Return each modality's term of the sum.

    Parameters
    ----------
    logits : Tensor
        (..., J, D, H, W), one modality's or several modalities' logits.
    gate : Tensor or None
        (..., 1, D, H, W) scores g_i of a gated fusion; None for the mean.
    """
    return logits if gate is None else logits * gate.exp()


def combine(logits: Tensor, gate: Tensor | None, subsets: Tensor) -> Tensor:
    """Fuse the modalities of one or several subsets.

    Parameters
    ----------
    logits : Tensor
        (B, M, J, D, H, W) logits of every modality; values of absent ones do not matter.
    gate : Tensor or None
        (B, M, 1, D, H, W) scores of a gated fusion; None for the mean.
    subsets : Tensor
        (S, M) or (S, B, M), True where a modality belongs to the subset.

    Returns
    -------
    Tensor
        (S, B, J, D, H, W) fused logits.

    Raises
    ------
    ValueError
        If a subset is empty.
    """
    batch = logits.shape[0]
    if subsets.ndim == 2:
        subsets = subsets[:, None].expand(-1, batch, -1)
    if not bool(subsets.any(-1).all()):
        raise ValueError("A subset must hold at least one modality.")
    member = subsets.to(logits.dtype)
    # Absent modalities may hold anything, NaN too; zero times NaN would let it through.
    absent = ~subsets.any(0)
    logits = logits.masked_fill(absent[..., None, None, None, None], 0)
    if gate is None:
        weights = member / member.sum(-1, keepdim=True)
        return _sum(weights, logits)
    gate = gate.masked_fill(absent[..., None, None, None, None], 0)
    total = _sum(member, gate.exp())
    return _sum(member, weigh(logits, gate)) / total


def fuse_features(features: Tensor, subsets: Tensor) -> Tensor:
    """Return the mean of deep features over each subset (Eq. 2-3 compare these).

    Parameters
    ----------
    features : Tensor
        (B, M, C, D, H, W) features of one encoder level.
    subsets : Tensor
        (S, M) or (S, B, M) membership.

    Returns
    -------
    Tensor
        (S, B, C, D, H, W).
    """
    return combine(features, None, subsets)


def _sum(weights: Tensor, terms: Tensor) -> Tensor:
    """Sum `terms` (B, M, J, ...) with `weights` (S, B, M) into (S, B, J, ...)."""
    batch, modalities = terms.shape[:2]
    flat = terms.reshape(batch, modalities, -1)
    summed = torch.bmm(weights.transpose(0, 1), flat)
    return summed.transpose(0, 1).reshape(-1, batch, *terms.shape[2:])
