"""Answers whose logits stand on the working grid, and are brought to the case's grid when asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_rdl import boxes
from napari_rdl.boxes import Box, one_slice
from napari_rdl.callbacks import IsCancelled, Progress
from napari_rdl.segment.answers import Answers, Labels, Subset, most_probable, softmax_inside
from napari_rdl.segment.working_grid import WorkingGrid


@dataclass(frozen=True)
class Outline:
    """Where a modality's brain lies on the case's grid.

    Attributes
    ----------
    box : tuple of slice
    mask : ndarray of bool
        Within `box`.
    """

    box: Box
    mask: NDArray[np.bool_]


class DenseAnswers(Answers):
    """Labels and probabilities from a subset's logits on the working grid.

    Each subset has the part of the lattice that its own brains need: it is the same whatever else was
    encoded. Voxels in no brain of the subset are background.

    Parameters
    ----------
    grids : Mapping[str, WorkingGrid]
        Modality -> the part of the lattice that covers its brain.
    outlines : Mapping[str, Outline]
        Modality -> its brain on the case's grid.
    """

    def __init__(self, grids: Mapping[str, WorkingGrid], outlines: Mapping[str, Outline]) -> None:
        self.modalities = tuple(grids)
        self.box = boxes.union([grid.box for grid in grids.values()])
        self._grids = grids
        self._outlines = outlines
        first = next(iter(outlines.values()))
        self._one_outline = all(
            outline is first or (outline.box == first.box and np.array_equal(outline.mask, first.mask))
            for outline in outlines.values()
        )

    @abstractmethod
    def _logits(self, subset: Subset, progress: Progress, cancelled: IsCancelled) -> Tensor:
        """Return a subset's logits (J, ...) on its part of the working grid, float32."""

    @abstractmethod
    def _logits_at(self, subset: Subset, axis: int, part: slice) -> Tensor:
        """Return `part` of `_logits` along `axis`, computed alone."""

    def _grid(self, subset: Subset) -> WorkingGrid:
        return WorkingGrid.union(self._grids[name] for name in subset)

    @property
    def _outline_bytes(self) -> int:
        return sum(outline.mask.nbytes for outline in self._outlines.values())

    def labels(self, subset: Subset, progress: Progress, cancelled: IsCancelled) -> Labels:
        """Return a subset's class indices in `box`."""
        grid = self._grid(subset)
        logits = self._logits(subset, progress, cancelled)
        if not grid.coincides:
            tumour = boxes.bounding_box(most_probable(logits).cpu().numpy())
            return self._labels_around(subset, tumour, lambda needed: logits[(slice(None), *needed)])
        labels = np.zeros(boxes.shape_of(self.box), np.uint8)
        labels[boxes.within(grid.box, self.box)] = most_probable(grid.to_case(logits)).cpu().numpy()
        return self._only_inside(labels, subset, self.box)

    def _labels_around(self, subset: Subset, tumour: Box | None, logits: Callable[[Box], Tensor]) -> Labels:
        """Return a subset's class indices in `box` where all tumour of its working grid lies in a box.

        Between working voxels that are all background, interpolated logits are so too: only those around
        the tumour are asked for, and brought to the case's grid.
        """
        labels = np.zeros(boxes.shape_of(self.box), np.uint8)
        if tumour is None:
            return labels
        grid = self._grid(subset)
        place, needed = grid.reached_by(tumour)
        near = grid.to_case_part(logits(needed), place, needed)
        found = most_probable(near).cpu().numpy()
        there = boxes.outward(place, grid.box)
        labels[boxes.within(there, self.box)] = np.multiply(found, self._inside(subset, there), out=found)
        return labels

    def label_slice(self, subset: Subset, axis: int, index: int) -> Labels:
        """Return one slice of `labels`, from the working voxels that it needs."""
        box = one_slice(self.box, axis, index)
        labels = np.zeros(boxes.shape_of(box), np.uint8)
        grid = self._grid(subset)
        common = boxes.intersection(grid.box, box)
        if common is not None:
            part = grid.needed_for(axis, index, self._granularity)
            logits = grid.slice_to_case(self._logits_at(subset, axis, part), axis, index, part)
            labels[boxes.within(common, box)] = most_probable(logits).cpu().numpy()
        return self._only_inside(labels, subset, box)

    @property
    def _granularity(self) -> int:
        """Working voxels that come together."""
        return 1

    def probabilities(
        self, subset: Subset, temperature: float, progress: Progress, cancelled: IsCancelled
    ) -> NDArray[np.float32]:
        """Return a subset's class probabilities (J, ...) in `box`."""
        grid = self._grid(subset)
        logits = grid.to_case(self._logits(subset, progress, cancelled))
        inside = torch.from_numpy(self._inside(subset, grid.box)).to(logits.device)
        everywhere = np.zeros((len(logits), *boxes.shape_of(self.box)), np.float32)
        everywhere[0] = 1
        where = (slice(None), *boxes.within(grid.box, self.box))
        everywhere[where] = softmax_inside(logits, inside, temperature).cpu().numpy()
        return everywhere

    def _inside(self, subset: Subset, box: Box) -> NDArray[np.bool_]:
        """Return where `box` lies in a brain of the subset."""
        names = subset[:1] if self._one_outline else subset
        return reduce(np.logical_or, [self._cut(self._outlines[name], box) for name in names])

    @staticmethod
    def _cut(outline: Outline, box: Box) -> NDArray[np.bool_]:
        common = boxes.intersection(outline.box, box)
        if common == box:
            return outline.mask[boxes.within(box, outline.box)]
        mask = np.zeros(boxes.shape_of(box), bool)
        if common is not None:
            mask[boxes.within(common, box)] = outline.mask[boxes.within(common, outline.box)]
        return mask

    def _only_inside(self, labels: Labels, subset: Subset, box: Box) -> Labels:
        return np.multiply(labels, self._inside(subset, box), out=labels)
