"""What the modalities say, voxel by voxel of the term grid, and its sums over subsets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_rdl.boxes import Box
from napari_rdl.segment.answers import Subset
from napari_rdl.segment.working_grid import WorkingGrid

_HALF_MAX = 65504.0

Sum = tuple[Tensor, Tensor | None]
"""Summed terms (T, n), and in which of the n voxels any modality spoke; None for all of them."""

Parts = dict[tuple[str, int], Sum]
"""Modality and first voxel -> its terms there."""


@dataclass(frozen=True)
class SparseTerm:
    """One modality's terms where its brain is, in half precision.

    Attributes
    ----------
    grid : WorkingGrid
        The part of the lattice that covers its brain.
    voxels : ndarray of int64, shape (V,)
        Indices into the raveled term grid of this part, ascending.
    terms : Tensor
        (V, T) float16: a voxel's numbers lie beside each other.
    """

    grid: WorkingGrid
    voxels: NDArray[np.int64]
    terms: Tensor

    @classmethod
    def of(cls, terms: Tensor, inside: Tensor, grid: WorkingGrid) -> SparseTerm:
        """Keep what `terms` (T, d, h, w) holds where `inside` (d, h, w) is True."""
        voxels = inside.flatten().nonzero()[:, 0].cpu().numpy()
        # Voxel by voxel where they lie: flattened first, what tiles leave would be copied whole.
        kept = terms.movedim(0, -1)[inside.to(terms.device)]
        return cls(grid, voxels, kept.clamp_(-_HALF_MAX, _HALF_MAX).half())


class SparseSums:
    """Terms of several modalities on one term grid, summed in the fixed order of the modalities.

    Parameters
    ----------
    terms : Mapping[str, SparseTerm]
        Modality -> its terms.
    whole : WorkingGrid
        Holds the part of the lattice of each.
    patch : int
        Working voxels along the edge of a term voxel.

    Attributes
    ----------
    shape : tuple of int
        Of the term grid.
    voxels : ndarray of int64, shape (V,)
        Indices into the raveled term grid of the voxels in any brain, ascending.
    at : ndarray of int32, shape (3, V)
        Where they lie, sorted along the first axis.
    """

    def __init__(self, terms: Mapping[str, SparseTerm], whole: WorkingGrid, patch: int) -> None:
        x, y, z = (size // patch for size in whole.shape)
        self.shape = (x, y, z)
        self._terms = {name: term.terms for name, term in terms.items()}
        places = {name: self._placed(term, whole, patch) for name, term in terms.items()}
        spoken = np.zeros(self.shape, bool)
        for place in places.values():
            spoken.ravel()[place] = True
        self.voxels = np.flatnonzero(spoken)
        self.at = np.stack(np.unravel_index(self.voxels, self.shape)).astype(np.int32)
        self._rows = {name: self._rows_of(place) for name, place in places.items()}

    @property
    def device(self) -> torch.device:
        """Where the terms lie."""
        return next(iter(self._terms.values())).device

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        terms = sum(one.nbytes for one in self._terms.values())
        rows = sum(rows.nbytes for rows in self._rows.values() if rows is not None)
        return terms + rows + self.voxels.nbytes + self.at.nbytes

    def within(self, box: Box) -> NDArray[np.int64]:
        """Return which of the V voxels lie in a box of the term grid, ascending."""
        low, high = np.searchsorted(self.at[0], [box[0].start, box[0].stop])
        inside = np.ones(high - low, bool)
        for axis in (1, 2):
            along = self.at[axis, low:high]
            inside &= (along >= box[axis].start) & (along < box[axis].stop)
        return low + np.flatnonzero(inside)

    def part(self, name: str, chosen: slice | Tensor) -> Sum:
        """Return a modality's terms in some of the voxels, float32, and where it has any."""
        terms, rows = self._terms[name], self._rows[name]
        if rows is None:
            return _by_term(terms[chosen]), None
        own = rows[chosen]
        has = own >= 0
        part = terms.new_zeros((len(own), terms.shape[1]))
        part[has] = terms[own[has]]
        return _by_term(part), has

    def of(self, subset: Subset, chosen: slice | Tensor, start: int, kept: Parts | None = None) -> Sum:
        """Return a subset's sum in some of the voxels, from the parts of `kept` that are there already."""
        parts: Parts = {} if kept is None else kept
        for name in subset:
            if (name, start) not in parts:
                parts[name, start] = self.part(name, chosen)
        return reduce(_add, (parts[name, start] for name in subset))

    def of_all(self, chosen: slice | Tensor) -> Iterator[tuple[Subset, Sum]]:
        """Yield every subset's sum in some of the voxels, each by one addition to that before."""
        parts = [(name, self.part(name, chosen)) for name in self._terms]
        yield from _walk(parts, (), None)

    @staticmethod
    def _placed(term: SparseTerm, whole: WorkingGrid, patch: int) -> NDArray[np.int64]:
        """Return a modality's voxels as indices into the term grid that holds all modalities."""
        own, every = ([size // patch for size in grid.shape] for grid in (term.grid, whole))
        place = term.grid.place_in(whole, patch)
        at = np.unravel_index(term.voxels, own)
        moved = tuple(axis + part.start for axis, part in zip(at, place, strict=True))
        return np.ravel_multi_index(moved, every)

    def _rows_of(self, place: NDArray[np.int64]) -> Tensor | None:
        """Return each voxel's row in a modality's terms, -1 for none; None where all have their own."""
        if len(place) == len(self.voxels):
            return None
        rows = np.full(len(self.voxels), -1, np.int64)
        rows[np.searchsorted(self.voxels, place)] = np.arange(len(place))
        return torch.from_numpy(rows).to(self.device)


def _walk(parts: list[tuple[str, Sum]], prefix: Subset, before: Sum | None) -> Iterator[tuple[Subset, Sum]]:
    for place, (name, part) in enumerate(parts):
        total = part if before is None else _add(before, part)
        yield (*prefix, name), total
        yield from _walk(parts[place + 1 :], (*prefix, name), total)


def _by_term(rows: Tensor) -> Tensor:
    """Return terms of voxels (n, T) as (T, n), float32: what follows is a matrix times a chunk of them."""
    return rows.t().contiguous().float()


def _add(one: Sum, other: Sum) -> Sum:
    spoken = None if one[1] is None or other[1] is None else one[1] | other[1]
    return one[0] + other[0], spoken
