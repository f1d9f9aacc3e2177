"""Which subsets of its modalities a sample is trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from napari_rdl.brats import all_subsets


def subset_matrix(modalities: Sequence[str]) -> Tensor:
    """Return membership (2^M - 1, M), bool, in the order of the paper's tables."""
    rows = [[name in subset for name in modalities] for subset in all_subsets(modalities)]
    return torch.tensor(rows)


def draw_subsets(
    matrix: Tensor,
    present: Tensor,
    count: int,
    rngs: Sequence[np.random.Generator],
    full_weight: float = 1.0,
    always_full: bool = False,
) -> tuple[Tensor, Tensor]:
    """Choose the subsets that a step supervises.

    A sample only has the subsets of what is present in it: seven for three modalities.

    Parameters
    ----------
    matrix : Tensor
        (S, M) all subsets.
    present : Tensor
        (B, M) True where a sample has the modality.
    count : int
        Subsets of each sample, drawn without repeats; 0 for all.
    rngs : sequence of Generator
        One for each sample, so that a draw does not depend on who shares the batch.
    full_weight : float
        What the set of all that is present weighs beside any other subset: where some are drawn, in the
        mean over draws.
    always_full : bool
        Whether the set of all that is present is among the drawn ones.

    Returns
    -------
    subsets : Tensor
        (S', B, M) membership, bool; never empty.
    weights : Tensor
        (S', B) float32; 0 for rows that do not count. They sum to 1 over the first axis; where some are
        drawn and `full_weight` is not 1, in the mean over draws. With `always_full` they sum to 1 always.
    """
    possible = ~(matrix[:, None] & ~present[None]).any(-1)  # (S, B)
    if count == 0:
        chosen = possible
        subsets = matrix[:, None].expand(-1, len(present), -1)
    else:
        columns = []
        for column, rng in zip(possible.T, rngs, strict=True):
            found = column.nonzero()[:, 0].numpy()
            # The last that is possible holds all that is present; the others grow towards it.
            first, last = (found[:-1], found[-1:]) if always_full else (found, found[:0])
            drawn = rng.choice(first, size=min(count - len(last), len(first)), replace=False)
            drawn = np.concatenate((np.sort(drawn), last))
            columns.append(np.pad(drawn, (0, count - len(drawn)), constant_values=-1))
        index = torch.from_numpy(np.stack(columns, 1))  # (count, B)
        chosen = index >= 0
        subsets = matrix[index.clamp(min=0)]
    # Rows that do not count must still be valid sets for the combination.
    subsets = torch.where(chosen[..., None], subsets, present[None])
    is_full = (subsets == present[None]).all(-1)
    weights = torch.where(is_full, full_weight, 1.0) * chosen
    if count == 0 or always_full:
        return subsets, weights / weights.sum(0, keepdim=True)
    # Each row was drawn with the chance drawn / possible: over draws it counts as it does among all of them.
    there = possible.sum(0)
    return subsets, weights / (there - 1 + full_weight) * (there / chosen.sum(0))


def draw_by_count(present: Tensor, rng: np.random.Generator) -> Tensor:
    """Draw how many of a sample's modalities are left out, each number alike, then which.

    Parameters
    ----------
    present : Tensor
        (M,) bool, on the CPU.
    rng : Generator
        The sample's own.

    Returns
    -------
    Tensor
        (M,) bool, never empty.
    """
    there = present.nonzero()[:, 0].numpy()
    chosen = present.clone()
    chosen[rng.permutation(there)[: int(rng.integers(len(there)))]] = False
    return chosen


def draw_proper_subset(
    matrix: Tensor, present: Tensor, rngs: Sequence[np.random.Generator]
) -> tuple[Tensor, Tensor]:
    """Draw for each sample one subset that lacks something that is present (for L_MI).

    Returns
    -------
    subset : Tensor
        (B, M) membership, bool.
    valid : Tensor
        (B,) False where a sample has one modality only, so that no such subset exists.
    """
    rows, valid = [], []
    for sample, rng in zip(present, rngs, strict=True):
        found = (~(matrix & ~sample).any(-1) & (sample & ~matrix).any(-1)).nonzero()[:, 0].numpy()
        valid.append(len(found) > 0)
        rows.append(matrix[int(rng.choice(found))] if len(found) else sample)
    return torch.stack(rows), torch.tensor(valid)
