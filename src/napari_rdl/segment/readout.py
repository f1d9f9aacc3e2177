"""Non-linear fusions: terms are summed in each voxel of the term grid, and a readout follows the sum."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterator, Mapping

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
from napari_rdl.segment.sums import Parts, SparseSums, SparseTerm, Sum
from napari_rdl.segment.workers import in_order
from napari_rdl.segment.working_grid import WorkingGrid

# Chunks of one length, small enough for the cache: what is read of a voxel does not depend on its neighbours
# in the chunk, but a matrix product of another size may round otherwise.
_CPU_CHUNK = 16384
_GPU_CHUNK = 2**20
_SLAB = 8

Chunk = tuple[slice, slice | Tensor]
"""A part of the voxels that are read, and which of all they are."""


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
        self._patch = network.patch
        self._whole = WorkingGrid.union(self._grids.values())
        self._sums = SparseSums(terms, self._whole, self._patch)
        self._device = self._sums.device
        # Its own: the encoder's moves between devices, perhaps for another patient in another thread.
        self._network = copy.deepcopy(network).to(self._device)
        self._chunk = _CPU_CHUNK if self._device.type == "cpu" else _GPU_CHUNK
        self._classes = len(network.config.classes)
        self._count = len(self._sums.voxels)
        self._looked_at: tuple[object, Parts] = (None, {})  # of the last slice: one flips where one looks

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self._sums.nbytes + self._outline_bytes

    @property
    def _granularity(self) -> int:
        return self._patch

    def _chunks(self, chosen: NDArray[np.int64] | None = None) -> Iterator[Chunk]:
        """Yield parts of the chosen voxels (all if left out), and which of all voxels they are."""
        count = self._count if chosen is None else len(chosen)
        for start in range(0, count, self._chunk):
            part = slice(start, min(start + self._chunk, count))
            yield part, part if chosen is None else torch.from_numpy(chosen[part]).to(self._device)

    def _read(self, summed: Sum) -> Tensor:
        """Return logits (J, p^3, n)."""
        total, spoken = summed
        count = total.shape[1]
        if count < self._chunk == _CPU_CHUNK:
            total = torch.nn.functional.pad(total, [0, self._chunk - count])
        with torch.inference_mode():
            read = self._network.read_folded(total[None])[0, :, :count]
        if spoken is not None:
            read = read * spoken
        return read.reshape(self._classes, -1, count)

    def _read_in(
        self, subset: Subset, chosen: NDArray[np.int64] | None = None, kept: Parts | None = None
    ) -> Tensor:
        """Return a subset's logits (J, p^3, n) in the chosen voxels, or in all."""
        logits = self._room_for(self._count if chosen is None else len(chosen))

        def read(chunk: Chunk) -> None:
            part, voxels = chunk
            logits[..., part] = self._read(self._sums.of(subset, voxels, part.start, kept))

        chunks = self._chunks(chosen)
        # A slice is waited for, and few chunks: it does not stand in line behind all subsets.
        deque(in_order(read, chunks, self._device) if chosen is None else map(read, chunks), maxlen=0)
        return logits

    def _room_for(self, count: int) -> Tensor:
        return torch.empty((self._classes, self._patch**3, count), device=self._device)

    def _logits(self, subset: Subset, progress: Progress, cancelled: IsCancelled) -> Tensor:
        return self._cut_out(self._read_in(subset), self._grid(subset).place_in(self._whole))

    def _logits_at(self, subset: Subset, axis: int, part: slice) -> Tensor:
        own = self._grid(subset).place_in(self._whole)
        start = own[axis].start
        wanted = slice(start + part.start, start + part.stop)
        # All voxels of the slice, whatever the subset: the next one is read from the same parts.
        x, y, z = (
            wanted if other == axis else slice(0, size) for other, size in enumerate(self._whole.shape)
        )
        chosen = self._sums.within(self._term_box((x, y, z)))
        if self._looked_at[0] != (axis, wanted):
            self._looked_at = ((axis, wanted), {})
        dense = self._put(self._read_in(subset, chosen, self._looked_at[1]), chosen, (x, y, z))
        cut = [slice(None), *own]
        cut[1 + axis] = slice(None)
        return dense[tuple(cut)]

    def _term_box(self, place: Box) -> Box:
        """Return the term voxels that a box of working voxels touches."""
        x, y, z = (slice(part.start // self._patch, -(-part.stop // self._patch)) for part in place)
        return x, y, z

    def _cut_out(self, logits: Tensor, place: Box) -> Tensor:
        """Return logits (J, ...) in a box of working voxels, from those of all voxels (J, p^3, V)."""
        terms = self._term_box(place)
        chosen = self._sums.within(terms)
        p = self._patch
        x, y, z = (slice(part.start * p, part.stop * p) for part in terms)
        dense = self._put(logits[..., torch.from_numpy(chosen).to(self._device)], chosen, (x, y, z))
        return dense[(slice(None), *boxes.within(place, (x, y, z)))]

    def _put(self, logits: Tensor, chosen: NDArray[np.int64], place: Box) -> Tensor:
        """Put logits (J, p^3, n) of the chosen voxels into a box of whole term voxels (J, ...), else 0."""
        p = self._patch
        shape = boxes.shape_of(place)
        i, j, k = (
            axis[chosen].astype(np.int64) * p - part.start
            for axis, part in zip(self._sums.at, place, strict=True)
        )
        dense = torch.zeros((self._classes, int(np.prod(shape))), device=self._device)
        for number, (a, b, c) in enumerate(np.ndindex(p, p, p)):
            flat = torch.from_numpy(((i + a) * shape[1] + j + b) * shape[2] + k + c)
            dense.index_copy_(1, flat.to(self._device), logits[:, number])
        return dense.reshape(self._classes, *shape)

    def labels(self, subset: Subset, progress: Progress, cancelled: IsCancelled) -> Labels:
        """Return a subset's class indices in `box`."""
        logits = self._read_in(subset)
        if not self._whole.coincides:
            return self._brought_to_case(subset, logits)
        return self._only_inside(self._spread(_classes_of(logits), slice(None)), subset, self.box)

    def every(self, progress: Progress, cancelled: IsCancelled) -> Iterator[tuple[Subset, Labels]]:
        """Yield each subset with its labels in `box`."""
        if self._whole.coincides:
            classes = self._classes_of_all(progress, cancelled)
            for subset, rows in classes.items():
                stop_if(cancelled)
                yield subset, self._only_inside(self._spread(rows, slice(None)), subset, self.box)
            return
        subsets = tuple(prefixes(self.modalities))
        logits = {subset: self._room_for(self._count) for subset in subsets}

        def keep(subset: Subset, part: slice, read: Tensor) -> None:
            logits[subset][..., part] = read

        def bring(subset: Subset) -> Labels:
            return self._brought_to_case(subset, logits.pop(subset))

        self._read_all(keep, progress, cancelled)
        for subset, labels in zip(subsets, in_order(bring, subsets, self._device), strict=True):
            stop_if(cancelled)
            yield subset, labels

    def by_slab(
        self, progress: Progress, cancelled: IsCancelled
    ) -> Iterator[tuple[Box, dict[Subset, Labels]]]:
        """Yield slabs along x with the labels of all subsets."""
        if not self._whole.coincides:
            yield from super().by_slab(progress, cancelled)
            return
        classes = self._classes_of_all(progress, cancelled)
        x, y, z = self.box
        for first in range(0, self._sums.shape[0], _SLAB):
            stop_if(cancelled)
            count = min(_SLAB, self._sums.shape[0] - first)
            low, high = np.searchsorted(self._sums.at[0], [first, first + count])
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

    def _read_all(
        self, keep: Callable[[Subset, slice, Tensor], None], progress: Progress, cancelled: IsCancelled
    ) -> None:
        """Hand out each subset's logits (J, p^3, n) in each part of the voxels, whose sums serve all."""

        def read(chunk: Chunk) -> int:
            part, voxels = chunk
            for subset, total in self._sums.of_all(voxels):
                keep(subset, part, self._read(total))
            return part.stop

        for done in in_order(read, self._chunks(), self._device):
            stop_if(cancelled)
            progress(done, self._count, COMBINING)

    def _classes_of_all(self, progress: Progress, cancelled: IsCancelled) -> dict[Subset, Labels]:
        """Return for each subset the class indices (p^3, V)."""
        subsets = prefixes(self.modalities)
        classes = {subset: np.zeros((self._patch**3, self._count), np.uint8) for subset in subsets}

        def keep(subset: Subset, part: slice, read: Tensor) -> None:
            classes[subset][:, part] = _classes_of(read)

        self._read_all(keep, progress, cancelled)
        return classes

    def _brought_to_case(self, subset: Subset, logits: Tensor) -> Labels:
        """Return class indices in `box` from logits (J, p^3, V) on the working grid."""
        place = self._grid(subset).place_in(self._whole)
        tumour = boxes.box_of_voxels(self._sums.at[:, _any_tumour(logits)].T)
        if tumour is not None:
            x, y, z = (slice(part.start * self._patch, part.stop * self._patch) for part in tumour)
            tumour = boxes.within((x, y, z), place)
        return self._labels_around(
            subset, tumour, lambda needed: self._cut_out(logits, boxes.outward(needed, place))
        )

    def _spread(self, classes: Labels, chosen: slice, planes: int | None = None, first: int = 0) -> Labels:
        """Put class indices (p^3, V) of the chosen voxels into term planes of the case's grid.

        Working voxels are the case's own here; those beyond the case are cut off.
        """
        p = self._patch
        x, y, z = self._sums.shape if planes is None else (planes, *self._sums.shape[1:])
        i, j, k = (axis[chosen].astype(np.int64) for axis in self._sums.at)
        base = (((i - first) * p) * (y * p) + j * p) * (z * p) + k * p
        flat = np.zeros(x * y * z * p**3, np.uint8)
        for number, (a, b, c) in enumerate(np.ndindex(p, p, p)):
            flat[base + ((a * y * p + b) * z * p + c)] = classes[number, chosen]
        volume = flat.reshape(x * p, y * p, z * p)
        _, height, depth = boxes.shape_of(self.box)
        width = min(x * p, self.box[0].stop - self.box[0].start - first * p)
        return np.ascontiguousarray(volume[:width, :height, :depth])


def _classes_of(logits: Tensor) -> Labels:
    """Return the most probable classes (p^3, n) of logits (J, p^3, n)."""
    return most_probable(logits).cpu().numpy()


def _any_tumour(logits: Tensor) -> NDArray[np.bool_]:
    """Return in which of n voxels any place is most probably no background: (J, p^3, n) -> (n,)."""
    return (logits[1:].amax(0) > logits[0]).any(0).cpu().numpy()
