"""The label maps of all subsets of a patient, kept compactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from napari_rdl.brats import CLASSES, all_subsets, order_modalities, parse_subset, subset_name
from napari_rdl.callbacks import IsCancelled, Progress
from napari_rdl.errors import CaseError
from napari_rdl.files import write_file
from napari_rdl.metrics import class_counts, class_pairs

if TYPE_CHECKING:
    from napari_rdl.segment import Representations

_CLASSES = len(CLASSES)


@dataclass(frozen=True, eq=False)
class LabelStack:
    """Class indices of every subset, where at least one of them says tumour; elsewhere all say background.

    Attributes
    ----------
    shape : tuple of int
        (X, Y, Z) of the grid.
    modalities : tuple of str
        What the patient has, in the fixed order.
    voxels : ndarray of int64, shape (V,)
        Indices into the raveled grid, ascending.
    classes : ndarray of uint8, shape (S, V)
        A row for each of `subsets`.
    """

    shape: tuple[int, int, int]
    modalities: tuple[str, ...]
    voxels: NDArray[np.int64]
    classes: NDArray[np.uint8]

    @classmethod
    def collect(
        cls,
        representations: Representations,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> LabelStack:
        """Combine every subset of an encoded patient.

        Raises
        ------
        Cancelled
            If `cancelled` answered True.
        """
        shape = representations.case.grid.shape
        subsets = all_subsets(representations.modalities)
        voxels, classes = [np.zeros(0, np.int64)], [np.zeros((len(subsets), 0), np.uint8)]
        for (x, y, z), labels in representations.labels_by_slab(progress, cancelled):
            spoken = np.flatnonzero(reduce(np.bitwise_or, labels.values()))
            classes.append(np.stack([labels[subset].ravel()[spoken] for subset in subsets]))
            i, j, k = np.unravel_index(spoken, labels[subsets[0]].shape)
            voxels.append(np.ravel_multi_index((i + x.start, j + y.start, k + z.start), shape))
        return cls(shape, representations.modalities, np.concatenate(voxels), np.concatenate(classes, axis=1))

    @classmethod
    def of(
        cls,
        representations: Representations,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> LabelStack:
        """Return what `collect` does, made once: it is kept for as long as what was encoded is.

        Raises
        ------
        Cancelled
            If `cancelled` answered True.
        """
        stack = _kept.get(representations)
        if stack is None:
            stack = _kept[representations] = cls.collect(representations, progress, cancelled)
        return stack

    @classmethod
    def from_labels(cls, labels: Mapping[tuple[str, ...], NDArray[np.uint8]]) -> LabelStack:
        """Keep label maps (X, Y, Z) that are there already: subset -> class indices.

        Raises
        ------
        ValueError
            If a subset of the modalities named is missing.
        """
        modalities = order_modalities(name for subset in labels for name in subset)
        try:
            maps = [labels[subset] for subset in all_subsets(modalities)]
        except KeyError as error:
            raise ValueError(f"There are no labels of the subset {subset_name(error.args[0])}.") from None
        flat = np.stack([one.ravel() for one in maps])
        voxels = np.flatnonzero(flat.any(axis=0))
        x, y, z = maps[0].shape
        return cls((x, y, z), modalities, voxels, flat[:, voxels])

    @cached_property
    def subsets(self) -> tuple[tuple[str, ...], ...]:
        """All subsets in the order of the paper's tables."""
        return all_subsets(self.modalities)

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self.voxels.nbytes + self.classes.nbytes

    def row_of(self, subset: Iterable[str]) -> int:
        """Return a subset's place in `subsets`, however its modalities are ordered.

        Raises
        ------
        ValueError
            If it is none of them.
        """
        return self.subsets.index(order_modalities(subset, self.modalities))

    def labels(self, subset: Iterable[str]) -> NDArray[np.uint8]:
        """Return a subset's class indices (X, Y, Z)."""
        return self.spread(self.classes[self.row_of(subset)])

    def label_slice(self, subset: Iterable[str], axis: int, index: int) -> NDArray[np.uint8]:
        """Return one slice of `labels`, equal to ``labels(subset).take(index, axis)``.

        Raises
        ------
        IndexError
            If the grid has no such slice.
        """
        if not 0 <= index < self.shape[axis]:
            raise IndexError(f"Slice {index} is not among the {self.shape[axis]} slices of axis {axis}.")
        places = np.unravel_index(self.voxels, self.shape)
        here = np.flatnonzero(places[axis] == index)
        flat = np.zeros([size for other, size in enumerate(self.shape) if other != axis], np.uint8)
        at = tuple(place[here] for other, place in enumerate(places) if other != axis)
        flat[at] = self.classes[self.row_of(subset), here]
        return flat

    def spread(self, values: NDArray, background: float = 0) -> NDArray:
        """Put values (V,) of `voxels` into a volume (X, Y, Z) of their dtype."""
        volume = np.full(self.shape, background, values.dtype)
        volume.reshape(-1)[self.voxels] = values
        return volume

    def boxed(self, subset: Iterable[str]) -> tuple[NDArray[np.uint8], tuple[int, int, int]]:
        """Return a subset's labels within the box of all subsets' tumour, and its first voxel."""
        if not len(self.voxels):
            return np.zeros((1, 1, 1), np.uint8), (0, 0, 0)
        (x, y, z), shape = self._box
        i, j, k = np.unravel_index(self.voxels, self.shape)
        volume = np.zeros(shape, np.uint8)
        volume[i - x, j - y, k - z] = self.classes[self.row_of(subset)]
        return volume, (x, y, z)

    @cached_property
    def _box(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        places = np.unravel_index(self.voxels, self.shape)
        x, y, z = (int(place.min()) for place in places)
        a, b, c = (int(place.max()) + 1 for place in places)
        return (x, y, z), (a - x, b - y, c - z)

    def joint_counts(
        self, reference: NDArray[np.uint8], totals: NDArray[np.integer] | None = None
    ) -> NDArray[np.int64]:
        """Return voxels by subset, class and class of a reference: shape (S, 4, 4).

        Parameters
        ----------
        reference : ndarray of uint8
            (X, Y, Z) class indices.
        totals : ndarray of int, optional
            Voxels of each class in the reference, where they are known.
        """
        flat = reference.reshape(-1)
        if totals is None:
            totals = class_counts(flat)
        there = flat[self.voxels]
        counts = np.stack([class_pairs(row, there) for row in self.classes])
        # Whatever lies outside `voxels` is background to every subset.
        counts[:, 0] += totals - class_counts(there)
        return counts

    def counts(self) -> NDArray[np.int64]:
        """Return voxels by subset and class: shape (S, 4)."""
        counts = np.stack([class_counts(row) for row in self.classes])
        counts[:, 0] += int(np.prod(self.shape)) - len(self.voxels)
        return counts

    def save(self, path: str | Path) -> Path:
        """Write the stack as a compressed ``.npz``, whole or not at all.

        Raises
        ------
        OutputError
            If it cannot be written there.
        """
        return write_file(
            path,
            lambda temporary: np.savez_compressed(
                temporary,
                shape=np.array(self.shape),
                modalities=np.array(subset_name(self.modalities)),
                voxels=self.voxels,
                classes=self.classes,
            ),
        )

    @classmethod
    def load(cls, path: str | Path) -> LabelStack:
        """Read what `save` wrote.

        Raises
        ------
        CaseError
            If the file is not there, or is none of these.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                x, y, z = (int(size) for size in file["shape"])
                stack = cls((x, y, z), parse_subset(str(file["modalities"])), file["voxels"], file["classes"])
        except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise CaseError(f"{path} does not hold the labels of a study: run the study again.") from error
        fits = stack.classes.shape == (len(stack.subsets), len(stack.voxels)) and (
            not len(stack.voxels) or (stack.voxels.min() >= 0 and stack.voxels.max() < np.prod(stack.shape))
        )
        if not fits or (stack.classes.size and stack.classes.max() >= _CLASSES):
            raise CaseError(f"{path} does not hold the labels of a study: run the study again.")
        return stack


_kept: WeakKeyDictionary[Representations, LabelStack] = WeakKeyDictionary()
