"""Non-linear fusions: terms are summed in each voxel of the term grid, and a readout follows the sum."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_rdl import boxes
from napari_rdl.boxes import Box
from napari_rdl.callbacks import IsCancelled, Progress
from napari_rdl.models import SeparableNetwork
from napari_rdl.segment.answers import COMBINING, Labels, Subset, most_probable, prefixes, stop_if
from napari_rdl.segment.dense import DenseAnswers, Outline
from napari_rdl.segment.working_grid import WorkingGrid

# Chunks of one width, small enough for the cache: what is read of a voxel does not depend on its neighbours
# in the chunk, but a matrix product of another width may round otherwise.
_CPU_CHUNK = 2048
_GPU_CHUNK = 2**20
_SLAB = 8
_HALF_MAX = 65504.0

_Sum = tuple[Tensor, Tensor | None]
"""Summed terms (T, n), and in which of the n voxels any modality spoke; None for all of them."""

_Parts = dict[tuple[str, int], _Sum]  # modality and first column -> its terms there


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
        (T, V) float16.
    """

    grid: WorkingGrid
    voxels: NDArray[np.int64]
    terms: Tensor

    @classmethod
    def of(cls, terms: Tensor, inside: Tensor, grid: WorkingGrid) -> SparseTerm:
        """Keep what `terms` (T, d, h, w) holds where `inside` (d, h, w) is True."""
        voxels = inside.flatten().nonzero()[:, 0]
        columns, chosen = terms.flatten(1), voxels.to(terms.device)
        if columns.stride(0) == 1:
            # A voxel's numbers lie beside each other: they are taken together.
            kept = columns.t().index_select(0, chosen).t()
        else:
            kept = columns.index_select(1, chosen)
        half = kept.clamp_(-_HALF_MAX, _HALF_MAX).half().contiguous()
        return cls(grid, voxels.cpu().numpy(), half)


class Readout(DenseAnswers):
    """Sums of terms in the fixed order of the modalities, read voxel by voxel of the term grid.

    Only voxels in a brain are summed and read, in chunks that stay in the processor's cache. A voxel of
    which no modality of the subset speaks has the logits 0.

    Parameters
    ----------
    network : SeparableNetwork
        Reads sums.
    terms : Mapping[str, SparseTerm]
    outlines : Mapping[str, Outline]
    """

    def __init__(
        self, network: SeparableNetwork, terms: Mapping[str, SparseTerm], outlines: Mapping[str, Outline]
    ) -> None:
        super().__init__({name: term.grid for name, term in terms.items()}, outlines)
        first = next(iter(terms.values())).terms
        # Its own: the encoder's moves between devices, perhaps for another patient in another thread.
        self._network = copy.deepcopy(network).to(first.device)
        self._chunk = _CPU_CHUNK if first.device.type == "cpu" else _GPU_CHUNK
        self._patch = network.patch
        self._classes = len(network.config.classes)
        self._whole = WorkingGrid.union(self._grids.values())
        self._terms = {name: term.terms for name, term in terms.items()}
        places = {name: self._placed(term) for name, term in terms.items()}
        spoken = np.zeros(self._term_shape, bool)
        for place in places.values():
            spoken.ravel()[place] = True
        self._voxels = np.flatnonzero(spoken)
        self._rows = {name: self._rows_of(place) for name, place in places.items()}
        self._looked_at: tuple[object, _Parts] = (None, {})  # of the last slice: one flips where one looks
        # Where each voxel lies, sorted along the first axis as `_voxels` is.
        self._at = np.stack(np.unravel_index(self._voxels, self._term_shape)).astype(np.int32)

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        terms = sum(one.nbytes for one in self._terms.values())
        rows = sum(rows.nbytes for rows in self._rows.values() if rows is not None)
        return terms + rows + self._voxels.nbytes + self._at.nbytes + self._outline_bytes

    @property
    def _term_shape(self) -> tuple[int, int, int]:
        x, y, z = (size // self._patch for size in self._whole.shape)
        return x, y, z

    @property
    def _granularity(self) -> int:
        return self._patch

    def _placed(self, term: SparseTerm) -> NDArray[np.int64]:
        """Return a modality's voxels as indices into the term grid that holds all modalities."""
        shape = [size // self._patch for size in term.grid.shape]
        place = term.grid.place_in(self._whole, self._patch)
        at = np.unravel_index(term.voxels, shape)
        moved = tuple(axis + part.start for axis, part in zip(at, place, strict=True))
        return np.ravel_multi_index(moved, self._term_shape)

    def _rows_of(self, place: NDArray[np.int64]) -> Tensor | None:
        """Return each voxel's column in a modality's terms, -1 for none; None where all have their own."""
        if len(place) == len(self._voxels):
            return None
        rows = np.full(len(self._voxels), -1, np.int64)
        rows[np.searchsorted(self._voxels, place)] = np.arange(len(place))
        return torch.from_numpy(rows).to(next(iter(self._terms.values())).device)

    def _chunks(self, chosen: NDArray[np.int64] | None = None) -> Iterator[tuple[slice, slice | Tensor]]:
        """Yield parts of the chosen voxels (all if left out), and the columns that they are."""
        count = len(self._voxels) if chosen is None else len(chosen)
        device = next(iter(self._terms.values())).device
        for start in range(0, count, self._chunk):
            part = slice(start, min(start + self._chunk, count))
            yield part, part if chosen is None else torch.from_numpy(chosen[part]).to(device)

    def _part(self, name: str, columns: slice | Tensor) -> _Sum:
        """Return a modality's terms (T, n) in some voxels, float32, and where it has any."""
        terms, rows = self._terms[name], self._rows[name]
        if rows is None:
            chosen = terms[:, columns] if isinstance(columns, slice) else terms.index_select(1, columns)
            return chosen.float(), None
        own = rows[columns]
        has = own >= 0
        part = terms.new_zeros((len(terms), len(own)), dtype=torch.float32)
        part[:, has] = terms.index_select(1, own[has]).float()
        return part, has

    def _sum(self, subset: Subset, columns: slice | Tensor, start: int, kept: _Parts | None) -> _Sum:
        parts: _Parts = {} if kept is None else kept
        for name in subset:
            if (name, start) not in parts:
                parts[name, start] = self._part(name, columns)
        return reduce(_add, (parts[name, start] for name in subset))

    def _walk(
        self, parts: Mapping[str, _Sum], prefix: Subset = (), before: _Sum | None = None
    ) -> Iterator[tuple[Subset, _Sum]]:
        """Yield the sums of all subsets, each that of the prefix before it plus one modality."""
        first = self.modalities.index(prefix[-1]) + 1 if prefix else 0
        for name in self.modalities[first:]:
            total = parts[name] if before is None else _add(before, parts[name])
            yield (*prefix, name), total
            yield from self._walk(parts, (*prefix, name), total)

    def _read(self, summed: _Sum) -> Tensor:
        """Return folded logits (J, p^3, n)."""
        total, spoken = summed
        count = total.shape[1]
        if count < self._chunk == _CPU_CHUNK:
            total = torch.nn.functional.pad(total, [0, self._chunk - count])
        with torch.inference_mode():
            folded = self._network.read_folded(total[None])[0, :, :count].reshape(self._classes, -1, count)
        return folded if spoken is None else folded * spoken

    def _logits(self, subset: Subset, progress: Progress, cancelled: IsCancelled) -> Tensor:
        dense = self._dense(subset, None, self._whole.shape, (0, 0, 0))
        return dense[(slice(None), *self._grid(subset).place_in(self._whole))]

    def _logits_at(self, subset: Subset, axis: int, part: slice) -> Tensor:
        grid = self._grid(subset)
        place = list(grid.place_in(self._whole))
        start = place[axis].start + part.start
        first, last = start // self._patch, (start + part.stop - part.start) // self._patch
        along = self._at[axis]
        if axis == 0:
            low, high = np.searchsorted(along, [first, last])
            chosen = np.arange(low, high)
        else:
            chosen = np.flatnonzero((along >= first) & (along < last))
        shape = list(self._whole.shape)
        shape[axis] = part.stop - part.start
        origin = [0, 0, 0]
        origin[axis] = first
        if self._looked_at[0] != (axis, first, last):
            self._looked_at = ((axis, first, last), {})
        dense = self._dense(subset, chosen, tuple(shape), tuple(origin), self._looked_at[1])
        place[axis] = slice(0, shape[axis])
        return dense[(slice(None), *place)]

    def _dense(
        self,
        subset: Subset,
        chosen: NDArray[np.int64] | None,
        shape: tuple[int, ...],
        origin: tuple[int, ...],
        kept: _Parts | None = None,
    ) -> Tensor:
        """Return logits (J, *shape) from term voxel `origin` on; 0 where no voxel was chosen."""
        device = next(iter(self._terms.values())).device
        p = self._patch
        x, y, z = (size // p for size in shape)
        dense = torch.zeros((self._classes, x, p, y, p, z, p), device=device)
        at = self._at if chosen is None else self._at[:, chosen]
        places = torch.from_numpy((at - np.array(origin)[:, None]).astype(np.int64)).to(device)
        for part, columns in self._chunks(chosen):
            folded = self._read(self._sum(subset, columns, part.start, kept))
            i, j, k = places[:, part]
            for number, (a, b, c) in enumerate(np.ndindex(p, p, p)):
                dense[:, i, a, j, b, k, c] = folded[:, number]
        return dense.reshape(self._classes, *shape)

    def labels(self, subset: Subset, progress: Progress, cancelled: IsCancelled) -> Labels:
        """Return a subset's class indices in `box`."""
        if not self._whole.coincides:
            return super().labels(subset, progress, cancelled)
        classes = np.zeros((self._patch**3, len(self._voxels)), np.uint8)
        for part, columns in self._chunks():
            summed = self._sum(subset, columns, part.start, None)
            classes[:, part] = most_probable(self._read(summed)).cpu().numpy()
        return self._only_inside(self._spread(classes, slice(None), self._term_shape[0]), subset, self.box)

    def every(self, progress: Progress, cancelled: IsCancelled) -> Iterator[tuple[Subset, Labels]]:
        """Yield each subset with its labels in `box`."""
        if not self._whole.coincides:
            yield from super().every(progress, cancelled)
            return
        classes = self._classes_of_all(progress, cancelled)
        for subset, rows in classes.items():
            stop_if(cancelled)
            labels = self._spread(rows, slice(None), self._term_shape[0])
            yield subset, self._only_inside(labels, subset, self.box)

    def by_slab(
        self, progress: Progress, cancelled: IsCancelled
    ) -> Iterator[tuple[Box, dict[Subset, Labels]]]:
        """Yield slabs along x with the labels of all subsets."""
        if not self._whole.coincides:
            yield from super().by_slab(progress, cancelled)
            return
        classes = self._classes_of_all(progress, cancelled)
        x, y, z = self.box
        for first in range(0, self._term_shape[0], _SLAB):
            stop_if(cancelled)
            count = min(_SLAB, self._term_shape[0] - first)
            low, high = np.searchsorted(self._at[0], [first, first + count])
            start = x.start + first * self._patch
            slab = (slice(start, min(start + count * self._patch, x.stop)), y, z)
            yield (
                slab,
                {
                    subset: self._only_inside(
                        self._spread(rows, slice(low, high), count, first), subset, slab
                    )
                    for subset, rows in classes.items()
                },
            )

    def _classes_of_all(self, progress: Progress, cancelled: IsCancelled) -> dict[Subset, Labels]:
        """Return for each subset the class indices (p^3, V): a chunk's sums serve all subsets."""
        subsets = tuple(prefixes(self.modalities))
        classes = {subset: np.zeros((self._patch**3, len(self._voxels)), np.uint8) for subset in subsets}
        for part, columns in self._chunks():
            stop_if(cancelled)
            parts = {name: self._part(name, columns) for name in self.modalities}
            for subset, total in self._walk(parts):
                classes[subset][:, part] = most_probable(self._read(total)).cpu().numpy()
            progress(part.stop, len(self._voxels), COMBINING)
        return classes

    def _spread(self, classes: Labels, chosen: slice, planes: int, first: int = 0) -> Labels:
        """Put class indices (p^3, V) of the chosen voxels into `planes` term planes of the case's grid.

        Working voxels are the case's own here; those beyond the case are cut off.
        """
        p = self._patch
        x, y, z = planes, *self._term_shape[1:]
        i, j, k = (axis[chosen].astype(np.int64) for axis in self._at)
        base = (((i - first) * p) * (y * p) + j * p) * (z * p) + k * p
        flat = np.zeros(x * y * z * p**3, np.uint8)
        for number, (a, b, c) in enumerate(np.ndindex(p, p, p)):
            flat[base + ((a * y * p + b) * z * p + c)] = classes[number, chosen]
        volume = flat.reshape(x * p, y * p, z * p)
        _, height, depth = boxes.shape_of(self.box)
        width = min(x * p, self.box[0].stop - self.box[0].start - first * p)
        return np.ascontiguousarray(volume[:width, :height, :depth])


def _add(one: _Sum, other: _Sum) -> _Sum:
    spoken = None if one[1] is None or other[1] is None else one[1] | other[1]
    return one[0] + other[0], spoken
