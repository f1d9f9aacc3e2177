"""Combine often: any subset of the encoded modalities, from what is already there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from napari_rdl.boxes import Box, cut_across
from napari_rdl.brats import order_modalities, subset_name
from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.case import Case
from napari_rdl.errors import CheckpointError
from napari_rdl.models import ModelCard
from napari_rdl.segment.answers import Answers, Labels, Subset, prefixes
from napari_rdl.segment.computation import Computation
from napari_rdl.segment.segmentation import Segmentation


def untrained_subset(card: ModelCard, names: Subset) -> CheckpointError | None:
    """Return the error of asking a model for a subset that its card says it was never trained on."""
    title, trained = subset_name(names), card.trained_subsets
    if not trained or title in trained:
        return None
    return CheckpointError(
        f"The model {card.name!r} was never trained on {title}: it knows {', '.join(trained)}."
    )


class Representations:
    """What a model said of a case, ready to be combined.

    A subset's result never depends on how one came to it. With a separable model everything is there;
    with a joint one a subset that was not asked for before costs a pass (`at_once` tells), which reports
    its progress and can be cancelled.

    Parameters
    ----------
    answers : Answers
        What the kind of model can say.
    case : Case
        The patient.
    computation : callable
        Returns with what it was computed, as it is now, given the patient.
    seconds : float
        How long encoding took.
    """

    def __init__(
        self, answers: Answers, case: Case, computation: Callable[[Case], Computation], seconds: float = 0.0
    ) -> None:
        self._answers = answers
        self.case = case
        self._computation = computation
        self.seconds = seconds

    def __repr__(self) -> str:
        facts = self.computation
        return f"<Representations of {facts.case.name}: {', '.join(self.modalities)} by {facts.model_name}>"

    @property
    def computation(self) -> Computation:
        """With what all this was computed."""
        return self._computation(self.case)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Representations) and (self._answers, self.case) == (
            other._answers,
            other.case,
        )

    def __hash__(self) -> int:
        return hash(self._answers)

    def of(self, case: Case) -> Representations:
        """Return the same of the same patient, read again, or without its images."""
        return Representations(self._answers, case, self._computation, self.seconds)

    @property
    def modalities(self) -> Subset:
        """What was encoded, in the model's order."""
        return self._answers.modalities

    @property
    def box(self) -> Box:
        """The part of the case's grid that holds every modality's brain; outside, all is background."""
        return self._answers.box

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self._answers.nbytes

    def at_once(self, subset: Iterable[str] | None = None) -> bool:
        """Return whether a slice of `subset` is there without a pass through the network.

        A subset that the model was never trained on is not: asking for it is refused.
        """
        names = self.subset(subset)
        return self._untrained(names) is None and self._answers.at_once(names)

    def any_subset_at_once(self) -> bool:
        """Return whether the model answers for every subset, and none needs a pass through the network."""
        return all(self.at_once(names) for names in prefixes(self.modalities))

    @property
    def pass_seconds(self) -> float | None:
        """What a subset that was not asked for before takes with a joint model, from the passes made so far.

        0 before the first; None with a separable model, for which no subset is a pass.
        """
        return self._answers.pass_seconds

    def combine(
        self,
        subset: Iterable[str] | None = None,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> Segmentation:
        """Fuse a subset of the encoded modalities; without `subset`, all of them.

        Raises
        ------
        ValueError
            If the subset is empty or names a modality that was not encoded.
        CheckpointError
            If the model's card says that it was never trained on the subset.
        Cancelled
            If `cancelled` answered True.
        """
        names = self._trained(subset)
        found = self._answers.labels(names, progress or ignore_progress, cancelled or never_cancelled)
        return self._segmentation(names, found)

    def segmentation(self, subset: Iterable[str], labels: Labels) -> Segmentation:
        """Return `combine` of a subset from its labels (X, Y, Z), where they are there already."""
        return Segmentation(self.computation, self._trained(subset), labels)

    def labels(self, subset: Iterable[str] | None = None) -> Labels:
        """Return a subset's class indices (X, Y, Z) on the case's grid, RAS+."""
        return self.combine(subset).labels

    def label_slice(self, subset: Iterable[str] | None, axis: int, index: int) -> Labels:
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
        labels = np.zeros([size for other, size in enumerate(shape) if other != axis], np.uint8)
        cut = cut_across(self._answers.box, axis, index)
        if cut is not None:
            _, flat = cut
            labels[flat] = self._answers.label_slice(self._trained(subset), axis, index).squeeze(axis)
        return labels

    def probabilities(
        self,
        subset: Iterable[str] | None = None,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> NDArray[np.float32]:
        """Return a subset's class probabilities (J, X, Y, Z); background is 1 outside the brain.

        Logits are divided by the subset's temperature where the model's card has one, so that a voxel is
        right about as often as its probability says; labels are the same with any temperature.
        """
        inside = self._probabilities(subset, progress or ignore_progress, cancelled or never_cancelled)
        everywhere = np.zeros((len(inside), *self.case.grid.shape), np.float32)
        everywhere[0] = 1
        everywhere[(slice(None), *self._answers.box)] = inside
        return everywhere

    def log_probabilities(
        self, subset: Iterable[str] | None = None, *, floor: float = 1e-6
    ) -> NDArray[np.float32]:
        """Return logarithms of a subset's class probabilities (J, ...) within `box`.

        They are the fused logits, over the temperature, but for a constant in each voxel, whatever the kind
        of model.

        Parameters
        ----------
        floor : float
            Smallest probability that is told.
        """
        inside = self._probabilities(subset, ignore_progress, never_cancelled)
        return np.log(np.maximum(inside, np.float32(floor), out=inside), out=inside)

    def combine_all(
        self, progress: Progress | None = None, cancelled: IsCancelled | None = None
    ) -> Iterator[Segmentation]:
        """Yield all 2^k - 1 subsets, each after the prefix that it extends by one modality.

        The order is that of the walk through the prefixes, not that of the paper's tables.

        Raises
        ------
        CheckpointError
            If the model's card says that it was never trained on one of them.
        """
        self._refuse_untrained()
        found = self._answers.every(progress or ignore_progress, cancelled or never_cancelled)
        for names, labels in found:
            yield self._segmentation(names, labels)

    def labels_by_slab(
        self, progress: Progress | None = None, cancelled: IsCancelled | None = None
    ) -> Iterator[tuple[Box, dict[Subset, Labels]]]:
        """Yield the labels of all subsets, slab by slab along x: the quickest way to all of them.

        Yields
        ------
        box : tuple of slice
            The slab's place on the case's grid; the slabs tile `box`.
        labels : dict
            Subset -> class indices (uint8) of the slab.

        Raises
        ------
        CheckpointError
            If the model's card says that it was never trained on one of them.
        """
        self._refuse_untrained()
        return self._answers.by_slab(progress or ignore_progress, cancelled or never_cancelled)

    def subset(self, subset: Iterable[str] | None = None) -> Subset:
        """Return `subset` in the fixed order; without it, all that was encoded.

        Raises
        ------
        ValueError
            If the subset is empty or names a modality that was not encoded.
        """
        if subset is None:
            return self.modalities
        names = order_modalities(subset, self.modalities)
        if not names:
            raise ValueError("A subset must hold at least one modality.")
        return names

    def _trained(self, subset: Iterable[str] | None) -> Subset:
        """Return `subset` as `subset` does; refuse one that the model was never trained on."""
        names = self.subset(subset)
        if (error := self._untrained(names)) is not None:
            raise error
        return names

    def _untrained(self, names: Subset) -> CheckpointError | None:
        """Return what is to be said of a subset that the model was never trained on."""
        return untrained_subset(self.computation.card, names)

    def _refuse_untrained(self) -> None:
        for names in prefixes(self.modalities):
            self._trained(names)

    def _probabilities(
        self, subset: Iterable[str] | None, progress: Progress, cancelled: IsCancelled
    ) -> NDArray[np.float32]:
        """Return a subset's class probabilities within `box`."""
        names = self._trained(subset)
        temperature = self.computation.card.temperatures.get(subset_name(names), 1.0)
        return self._answers.probabilities(names, temperature, progress, cancelled)

    def _segmentation(self, names: Subset, found: Labels) -> Segmentation:
        labels = np.zeros(self.case.grid.shape, np.uint8)
        labels[self._answers.box] = found
        return self.segmentation(names, labels)
