"""Joint models: a pass through the network for each subset, made when it is asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.segment.answers import Subset
from napari_rdl.segment.dense import DenseAnswers, Outline
from napari_rdl.segment.working_grid import WorkingGrid

RunPass = Callable[[Subset, Mapping[str, Tensor], Progress, IsCancelled], Tensor]
"""Subset, its images (D, H, W), progress, cancelled -> logits (J, D, H, W)."""


class JointPasses(DenseAnswers):
    """Each subset's images go through the network together; the logits of the last ones are kept.

    Parameters
    ----------
    run_pass : RunPass
        Passes a subset's images, which share one grid, through the network.
    images : Mapping[str, Tensor]
        Modality -> normalised intensities on its part of the case's working lattice, 0 outside its brain.
    grids : Mapping[str, WorkingGrid]
        These parts.
    outlines : Mapping[str, Outline]
    budget_bytes : int
        What the kept logits may hold; those of the last subset are kept however large.
    """

    def __init__(
        self,
        run_pass: RunPass,
        images: Mapping[str, Tensor],
        grids: Mapping[str, WorkingGrid],
        outlines: Mapping[str, Outline],
        budget_bytes: int,
    ) -> None:
        super().__init__(grids, outlines)
        self._run_pass = run_pass
        self._images = images
        self._budget = budget_bytes
        self._kept: OrderedDict[Subset, Tensor] = OrderedDict()
        self._seconds: list[float] = []

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        images = sum(image.nbytes for image in self._images.values())
        return images + self._kept_bytes + self._outline_bytes

    @property
    def _kept_bytes(self) -> int:
        return sum(logits.nbytes for logits in self._kept.values())

    def at_once(self, subset: Subset) -> bool:
        """Return whether the logits of `subset` are there."""
        return subset in self._kept

    @property
    def pass_seconds(self) -> float | None:
        """Median of the passes made so far; 0 before the first."""
        return median(self._seconds) if self._seconds else 0.0

    def _logits(self, subset: Subset, progress: Progress, cancelled: IsCancelled) -> Tensor:
        if subset not in self._kept:
            self._kept[subset] = self._pass(subset, progress, cancelled)
        self._kept.move_to_end(subset)
        logits = self._kept[subset]
        while len(self._kept) > 1 and self._kept_bytes > self._budget:
            self._kept.popitem(last=False)
        return logits.float()

    def _logits_at(self, subset: Subset, axis: int, part: slice) -> Tensor:
        return self._logits(subset, ignore_progress, never_cancelled).narrow(
            axis + 1, part.start, part.stop - part.start
        )

    def _pass(self, subset: Subset, progress: Progress, cancelled: IsCancelled) -> Tensor:
        grid = self._grid(subset)
        images = {}
        for name in subset:
            image = self._images[name]
            images[name] = image.new_zeros(grid.shape)
            images[name][self._grids[name].place_in(grid)] = image
        began = perf_counter()
        logits = self._run_pass(subset, images, progress, cancelled).to("cpu", torch.float16)
        self._seconds.append(perf_counter() - began)
        return logits
