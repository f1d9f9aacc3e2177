"""Combine often: any subset of the encoded modalities is a sum of what is already there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_rdl.boxes import Box, intersection, union, within
from napari_rdl.brats import order_modalities
from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.case import Case
from napari_rdl.errors import Cancelled
from napari_rdl.models import Model
from napari_rdl.segment.segmentation import Segmentation
from napari_rdl.segment.settings import SegmentSettings

_SLAB = 2


@dataclass(frozen=True)
class ModalityRepresentation:
    """One modality's term of the fused sum, on the case's grid.

    Attributes
    ----------
    terms : Tensor
        (J, X, Y, Z) float32 within `box`: logits for the mean, e^g * logits for the gated fusion;
        0 outside this modality's brain mask.
    weight : Tensor
        (X, Y, Z) within `box`: what the term counts for; the brain mask, or e^g within it.
    box : tuple of slice
        Where this modality's brain lies on the case's grid.
    """

    modality: str
    terms: Tensor
    weight: Tensor
    box: Box

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self.terms.nbytes + self.weight.nbytes


class Representations:
    """What the backbone said of each modality of a case, ready to be combined.

    Fused logits are the terms summed in the fixed order of the modalities, so the result of a
    subset never depends on how one came to it. The divisor of the fusion is common to all classes
    and left out where only the most probable class matters.
    """

    def __init__(
        self,
        case: Case,
        model: Model,
        encoded: dict[str, ModalityRepresentation],
        settings: SegmentSettings,
        device: str,
        precision: str,
        steps: tuple[str, ...],
        seconds: float,
    ) -> None:
        self.case = case
        self.model_name = model.name
        self.model_path = model.path
        self.model_sha256 = model.sha256
        self.settings = settings
        self.device = device
        self.precision = precision
        self.steps = steps
        self.seconds = seconds
        self.modalities: tuple[str, ...] = order_modalities(encoded, model.card.network.modalities)
        self._classes = len(model.card.network.classes)
        self._encoded = encoded
        self._box = union([one.box for one in encoded.values()])

    def __repr__(self) -> str:
        return f"<Representations of {self.case.name}: {', '.join(self.modalities)} by {self.model_name}>"

    @property
    def nbytes(self) -> int:
        """Memory held by the representations, in bytes."""
        return sum(one.nbytes for one in self._encoded.values())

    def combine(self, subset: Iterable[str] | None = None) -> Segmentation:
        """Fuse a subset of the encoded modalities; without `subset`, all of them.

        Raises
        ------
        ValueError
            If the subset is empty or names a modality that was not encoded.
        """
        names = self._subset(subset)
        return self._segmentation(names, self._sum(names, self._box))

    def labels(self, subset: Iterable[str] | None = None) -> NDArray[np.uint8]:
        """Return a subset's class indices (X, Y, Z) on the case's grid, RAS+."""
        return self.combine(subset).labels

    def label_slice(self, subset: Iterable[str] | None, axis: int, index: int) -> NDArray[np.uint8]:
        """Return one slice of `labels`, computed alone: what the viewer shows first.

        Parameters
        ----------
        axis : int
            Axis that is cut: 0 sagittal, 1 coronal, 2 axial.
        index : int
            Voxel index along that axis.

        Returns
        -------
        ndarray of uint8
            The other two axes in their order; equal to ``labels(subset).take(index, axis)``.
        """
        shape = self.case.grid.shape
        if not 0 <= index < shape[axis]:
            raise IndexError(f"Slice {index} is not among the {shape[axis]} slices of axis {axis}.")
        flat = np.zeros([size for other, size in enumerate(shape) if other != axis], np.uint8)
        part = self._box[axis]
        if part.start <= index < part.stop:
            x, y, z = (slice(index, index + 1) if other == axis else self._box[other] for other in range(3))
            box = (x, y, z)
            classes = _most_probable(self._sum(self._subset(subset), box)).squeeze(axis)
            flat[tuple(part for other, part in enumerate(box) if other != axis)] = classes.cpu().numpy()
        return flat

    def probabilities(self, subset: Iterable[str] | None = None) -> NDArray[np.float32]:
        """Return a subset's class probabilities (J, X, Y, Z); background is 1 outside the brain."""
        names = self._subset(subset)
        total = self._sum(names, self._box)
        weight = total.new_zeros(total.shape[1:])
        for name in names:
            one = self._encoded[name]
            weight[within(one.box, self._box)] += one.weight
        spoken = weight > 0
        fused = total / torch.where(spoken, weight, 1)
        inside = torch.softmax(fused, dim=0)
        inside = torch.where(spoken, inside, 0)
        inside[0] += ~spoken
        everywhere = np.zeros((self._classes, *self.case.grid.shape), np.float32)
        everywhere[0] = 1
        everywhere[(slice(None), *self._box)] = inside.cpu().numpy()
        return everywhere

    def combine_all(
        self, progress: Progress | None = None, cancelled: IsCancelled | None = None
    ) -> Iterator[Segmentation]:
        """Yield all 2^k - 1 subsets, each the prefix before it plus one modality.

        The order is that of the walk through the prefixes, not that of the paper's tables.
        """
        progress = progress or ignore_progress
        cancelled = cancelled or never_cancelled
        count = 2 ** len(self.modalities) - 1
        for done, (names, total) in enumerate(self._walk((), None), start=1):
            if cancelled():
                raise Cancelled
            yield self._segmentation(names, total)
            progress(done, count, "Combining subsets")

    @property
    def box(self) -> Box:
        """The part of the case's grid that holds every modality's brain; outside, all is background."""
        return self._box

    def labels_by_slab(
        self, progress: Progress | None = None, cancelled: IsCancelled | None = None
    ) -> Iterator[tuple[Box, dict[tuple[str, ...], NDArray[np.uint8]]]]:
        """Yield the labels of all subsets, slab by slab along x: the quickest way to all of them.

        A slab's sums stay in the processor's cache, which makes all subsets several times cheaper
        than whole volumes one after the other; the labels are the same to the voxel. On a GPU, where
        many small steps cost more than they save, the box is one slab.

        Yields
        ------
        box : tuple of slice
            The slab's place on the case's grid; the slabs tile `box`.
        labels : dict
            Subset -> class indices (uint8) of the slab.
        """
        progress = progress or ignore_progress
        cancelled = cancelled or never_cancelled
        x, y, z = self._box
        on_cpu = all(one.terms.device.type == "cpu" for one in self._encoded.values())
        step = _SLAB if on_cpu else x.stop - x.start
        for start in range(x.start, x.stop, step):
            if cancelled():
                raise Cancelled
            slab = (slice(start, min(start + step, x.stop)), y, z)
            if on_cpu:
                terms = {name: self._term(name, slab) for name in self.modalities}
                yield slab, dict(_slab_labels(terms, (), None))
            else:
                yield (
                    slab,
                    {names: _most_probable(total).cpu().numpy() for names, total in self._walk((), None)},
                )
            progress(min(start + step, x.stop) - x.start, x.stop - x.start, "Combining subsets")

    def _term(self, name: str, box: Box) -> NDArray[np.float32]:
        """Return a modality's term within `box` (J, X, Y, Z); a view wherever the box lies in its own."""
        one = self._encoded[name]
        common = intersection(one.box, box)
        if common == box:
            return one.terms[(slice(None), *within(box, one.box))].numpy()
        term = np.zeros((self._classes, *(part.stop - part.start for part in box)), np.float32)
        if common is not None:
            inside = one.terms[(slice(None), *within(common, one.box))]
            term[(slice(None), *within(common, box))] = inside.numpy()
        return term

    def _walk(
        self, prefix: tuple[str, ...], before: Tensor | None
    ) -> Iterator[tuple[tuple[str, ...], Tensor]]:
        first = self.modalities.index(prefix[-1]) + 1 if prefix else 0
        for name in self.modalities[first:]:
            total = self._add(name, self._box, None if before is None else before.clone())
            names = (*prefix, name)
            yield names, total
            yield from self._walk(names, total)

    def _subset(self, subset: Iterable[str] | None) -> tuple[str, ...]:
        if subset is None:
            return self.modalities
        names = order_modalities(subset, self.modalities)
        if not names:
            raise ValueError("A subset must hold at least one modality.")
        return names

    def _sum(self, names: tuple[str, ...], box: Box) -> Tensor:
        """Return the summed terms (J, X, Y, Z) within `box`, which lies within the union box."""
        total: Tensor | None = None
        for name in names:
            total = self._add(name, box, total)
        assert total is not None
        return total

    def _add(self, name: str, box: Box, total: Tensor | None) -> Tensor:
        one = self._encoded[name]
        if total is None:
            shape = (self._classes, *(part.stop - part.start for part in box))
            total = one.terms.new_zeros(shape)
        common = intersection(one.box, box)
        if common is not None:
            terms = one.terms[(slice(None), *within(common, one.box))]
            total[(slice(None), *within(common, box))] += terms.to(total.device)
        return total

    def _segmentation(self, names: tuple[str, ...], total: Tensor) -> Segmentation:
        labels = np.zeros(self.case.grid.shape, np.uint8)
        labels[self._box] = _most_probable(total).cpu().numpy()
        return Segmentation(
            case=self.case,
            modalities=names,
            labels=labels,
            model_name=self.model_name,
            model_path=self.model_path,
            model_sha256=self.model_sha256,
            settings=self.settings,
            device=self.device,
            precision=self.precision,
            steps=self.steps,
        )


def _most_probable(total: Tensor) -> Tensor:
    """Return argmax over the first axis as uint8; the first of equal classes wins, so zeros are background.

    A chain of comparisons is several times faster than ``argmax`` over a leading axis of four.
    """
    best = total[0]
    index = torch.zeros(best.shape, dtype=torch.uint8, device=total.device)
    for j in range(1, total.shape[0]):
        better = total[j] > best
        index.masked_fill_(better, j)
        best = torch.maximum(best, total[j])
    return index


def _slab_labels(
    terms: dict[str, NDArray[np.float32]], prefix: tuple[str, ...], before: NDArray[np.float32] | None
) -> Iterator[tuple[tuple[str, ...], NDArray[np.uint8]]]:
    """Walk the prefixes of a slab as `Representations._walk` does.

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
