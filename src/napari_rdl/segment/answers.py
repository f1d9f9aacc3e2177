"""What every kind of model can say of an encoded case, subset by subset."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_rdl.boxes import Box
from napari_rdl.callbacks import IsCancelled, Progress
from napari_rdl.errors import Cancelled

Subset = tuple[str, ...]
Labels = NDArray[np.uint8]


class Answers(ABC):
    """Labels and probabilities of the subsets of what was encoded, within a box of the case's grid.

    Subsets are named in the fixed order of the modalities.

    Attributes
    ----------
    modalities : tuple of str
        What was encoded.
    box : tuple of slice
        Holds every modality's brain; outside, all is background.
    """

    modalities: Subset
    box: Box

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Memory held, in bytes."""

    @abstractmethod
    def labels(self, subset: Subset, progress: Progress, cancelled: IsCancelled) -> Labels:
        """Return a subset's class indices in `box`."""

    @abstractmethod
    def label_slice(self, subset: Subset, axis: int, index: int) -> Labels:
        """Return one slice of `labels`, with `axis` kept; `index` counts on the case's grid."""

    @abstractmethod
    def probabilities(
        self, subset: Subset, temperature: float, progress: Progress, cancelled: IsCancelled
    ) -> NDArray[np.float32]:
        """Return a subset's class probabilities (J, ...) in `box`: softmax of logits over `temperature`."""

    def at_once(self, subset: Subset) -> bool:
        """Return whether a slice of `subset` is there without a pass through the network."""
        return True

    @property
    def pass_seconds(self) -> float | None:
        """What a subset that was not asked for before takes; None where none needs a pass."""
        return None

    def every(self, progress: Progress, cancelled: IsCancelled) -> Iterator[tuple[Subset, Labels]]:
        """Yield each subset with its labels in `box`, in the order of `prefixes`."""
        subsets = list(prefixes(self.modalities))
        for done, subset in enumerate(subsets):
            stop_if(cancelled)

            def within(part: int, parts: int, message: str, done: int = done) -> None:
                # The steps of a subset that takes long are steps of the whole.
                progress(done * parts + part, len(subsets) * parts, message)

            labels = self.labels(subset, within, cancelled)
            yield subset, labels
            progress(done + 1, len(subsets), COMBINING)

    def by_slab(
        self, progress: Progress, cancelled: IsCancelled
    ) -> Iterator[tuple[Box, dict[Subset, Labels]]]:
        """Yield boxes that tile `box`, with the labels of all subsets there."""
        yield self.box, dict(self.every(progress, cancelled))


COMBINING = "Combining subsets"


def stop_if(cancelled: IsCancelled) -> None:
    """Raise `Cancelled` where the user asked for it."""
    if cancelled():
        raise Cancelled


def prefixes(modalities: Subset, before: Subset = ()) -> Iterator[Subset]:
    """Yield all subsets, each after the one that it extends by its last modality."""
    for index, name in enumerate(modalities):
        subset = (*before, name)
        yield subset
        yield from prefixes(modalities[index + 1 :], subset)


def most_probable(logits: Tensor) -> Tensor:
    """Return argmax over the first axis as uint8; the first of equal classes wins, so zeros are background.

    A chain of comparisons is several times faster than ``argmax`` over a leading axis of four.
    """
    best = logits[0]
    index = torch.zeros(best.shape, dtype=torch.uint8, device=logits.device)
    for j in range(1, logits.shape[0]):
        # A later class's index is larger: filling it in would be slower than the larger of two.
        torch.maximum(index, (logits[j] > best).view(torch.uint8).mul_(j), out=index)
        best = torch.maximum(best, logits[j])
    return index


def softmax_inside(logits: Tensor, inside: Tensor, temperature: float) -> Tensor:
    """Return class probabilities where `inside` is True; elsewhere background is certain.

    Logits are divided by `temperature` (Guo et al. 2017, eq. 9): above 1 the probabilities are less sure.
    """
    # The library's softmax rounds a voxel by where in the processor's registers it stands: what else the box
    # holds would be seen in the last bit.
    scaled = logits / temperature
    odds = (scaled - scaled.amax(0)).exp_()
    probabilities = torch.where(inside, odds.div_(odds.sum(0)), 0)
    probabilities[0] += ~inside
    return probabilities
