"""Linear fusions: a subset's labels are those of a plain sum, on the case's own grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_rdl import boxes
from napari_rdl.boxes import Box, one_slice
from napari_rdl.callbacks import IsCancelled, Progress
from napari_rdl.segment.answers import (
    COMBINING,
    Answers,
    Labels,
    Subset,
    most_probable,
    softmax_inside,
    stop_if,
)

_SLAB = 2


@dataclass(frozen=True)
class LinearTerm:
    """One modality's term of the fused sum, on the case's grid.

    Attributes
    ----------
    logits : Tensor
        (J, X, Y, Z) float32 within `box`: logits times their weight, 0 outside this modality's brain mask.
    weight : Tensor
        (X, Y, Z) within `box`: what they count for; 0 outside this modality's brain mask.
    box : tuple of slice
        Where this modality's brain lies on the case's grid.
    """

    logits: Tensor
    weight: Tensor
    box: Box

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self.logits.nbytes + self.weight.nbytes


class LinearSums(Answers):
    """Sums of terms in the fixed order of the modalities: how one came to a subset never matters.

    The divisor of the fusion is common to all classes and left out where only the most probable
    class matters.
    """

    def __init__(self, terms: dict[str, LinearTerm]) -> None:
        self.modalities = tuple(terms)
        self.box = boxes.union([term.box for term in terms.values()])
        self._terms = terms
        self._classes = len(next(iter(terms.values())).logits)

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return sum(term.nbytes for term in self._terms.values())

    def labels(self, subset: Subset, progress: Progress, cancelled: IsCancelled) -> Labels:
        """Return a subset's class indices in `box`."""
        return most_probable(self._sum(subset, self.box)).cpu().numpy()

    def label_slice(self, subset: Subset, axis: int, index: int) -> Labels:
        """Return one slice of `labels`."""
        return most_probable(self._sum(subset, one_slice(self.box, axis, index))).cpu().numpy()

    def probabilities(
        self, subset: Subset, temperature: float, progress: Progress, cancelled: IsCancelled
    ) -> NDArray[np.float32]:
        """Return a subset's class probabilities (J, ...) in `box`."""
        total = self._sum(subset, self.box)
        weight = total.new_zeros(total.shape[1:])
        for name in subset:
            term = self._terms[name]
            weight[boxes.within(term.box, self.box)] += term.weight
        spoken = weight > 0
        logits = total / torch.where(spoken, weight, 1)
        return softmax_inside(logits, spoken, temperature).cpu().numpy()

    def every(self, progress: Progress, cancelled: IsCancelled) -> Iterator[tuple[Subset, Labels]]:
        """Yield each subset with its labels: the sum of the prefix before it, plus one modality."""
        count = 2 ** len(self.modalities) - 1
        for done, (subset, total) in enumerate(self._walk((), None), start=1):
            stop_if(cancelled)
            yield subset, most_probable(total).cpu().numpy()
            progress(done, count, COMBINING)

    def by_slab(
        self, progress: Progress, cancelled: IsCancelled
    ) -> Iterator[tuple[Box, dict[Subset, Labels]]]:
        """Yield slabs along x with the labels of all subsets: the quickest way to all of them.

        A slab's sums stay in the processor's cache, which makes all subsets several times cheaper
        than whole volumes one after the other; the labels are the same to the voxel. On a GPU, where
        many small steps cost more than they save, the box is one slab.
        """
        x, y, z = self.box
        on_cpu = all(term.logits.device.type == "cpu" for term in self._terms.values())
        step = _SLAB if on_cpu else x.stop - x.start
        for start in range(x.start, x.stop, step):
            stop_if(cancelled)
            slab = (slice(start, min(start + step, x.stop)), y, z)
            if on_cpu:
                terms = {name: self._part(name, slab) for name in self.modalities}
                yield slab, dict(_slab_labels(terms, (), None))
            else:
                yield (
                    slab,
                    {names: most_probable(total).cpu().numpy() for names, total in self._walk((), None)},
                )
            progress(min(start + step, x.stop) - x.start, x.stop - x.start, COMBINING)

    def _part(self, name: str, box: Box) -> NDArray[np.float32]:
        """Return a modality's term within `box` (J, X, Y, Z); a view wherever the box lies in its own."""
        term = self._terms[name]
        common = boxes.intersection(term.box, box)
        if common == box:
            return term.logits[(slice(None), *boxes.within(box, term.box))].numpy()
        part = np.zeros((self._classes, *boxes.shape_of(box)), np.float32)
        if common is not None:
            inside = term.logits[(slice(None), *boxes.within(common, term.box))]
            part[(slice(None), *boxes.within(common, box))] = inside.numpy()
        return part

    def _walk(self, prefix: Subset, before: Tensor | None) -> Iterator[tuple[Subset, Tensor]]:
        first = self.modalities.index(prefix[-1]) + 1 if prefix else 0
        for name in self.modalities[first:]:
            total = self._add(name, self.box, None if before is None else before.clone())
            subset = (*prefix, name)
            yield subset, total
            yield from self._walk(subset, total)

    def _sum(self, subset: Subset, box: Box) -> Tensor:
        """Return the summed terms (J, X, Y, Z) within `box`, which lies within the union box."""
        total: Tensor | None = None
        for name in subset:
            total = self._add(name, box, total)
        assert total is not None
        return total

    def _add(self, name: str, box: Box, total: Tensor | None) -> Tensor:
        term = self._terms[name]
        if total is None:
            total = term.logits.new_zeros((self._classes, *boxes.shape_of(box)))
        common = boxes.intersection(term.box, box)
        if common is not None:
            inside = term.logits[(slice(None), *boxes.within(common, term.box))]
            total[(slice(None), *boxes.within(common, box))] += inside.to(total.device)
        return total


def _slab_labels(
    terms: dict[str, NDArray[np.float32]], prefix: Subset, before: NDArray[np.float32] | None
) -> Iterator[tuple[Subset, Labels]]:
    """Walk the prefixes of a slab as `LinearSums._walk` does.

    In NumPy, since torch's threads wait for each other after every step, which costs more than
    steps this small when another program has a core.
    """
    names = tuple(terms)
    for name in names[names.index(prefix[-1]) + 1 if prefix else 0 :]:
        total = terms[name] if before is None else before + terms[name]
        best, index = total[0].copy(), np.zeros(total.shape[1:], np.uint8)
        for j in range(1, total.shape[0]):
            np.copyto(index, np.uint8(j), where=total[j] > best)
            np.maximum(best, total[j], out=best)
        subset = (*prefix, name)
        yield subset, index
        yield from _slab_labels(terms, subset, total)
