"""What is known of each brain voxel: the model's logits, subset and single, and smoothed intensities."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_rdl.boxes import Box, shape_of
from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.case import brain_mask, normalize
from napari_rdl.errors import Cancelled
from napari_rdl.segment import Representations

SMOOTHINGS_MM = (0.0, 1.5, 4.0)
"""Widths of the Gaussians that intensities are smoothed with."""

_BUMPS = np.arange(-2.0, 3.0, dtype=np.float32)
"""Where the intensities lie that bumps stand for: with them a linear head knows "about this grey"."""

_FLOOR = 1e-4
_LOGIT_SCALE = 3.0


@dataclass(frozen=True, eq=False)
class VoxelFeatures:
    """One row for each brain voxel of the modalities in use.

    Attributes
    ----------
    box : tuple of slice
        The part of the case's grid that `rows` covers.
    rows : ndarray of int32
        Within `box`: the voxel's row, -1 outside the brain.
    logits : ndarray of float32, shape (n, J)
        Logarithms of the subset's probabilities.
    values : ndarray of float16, shape (n, V)
        Of order one; `design` makes what a head sees of them.
    grey : tuple of int
        The columns of `values` that are smoothed intensities.
    images : tuple of ndarray of float32
        Normalised intensities within `box`, a little smoothed, one a modality.
    """

    box: Box
    rows: NDArray[np.int32]
    logits: NDArray[np.float32]
    values: NDArray[np.float16]
    grey: tuple[int, ...]
    images: tuple[NDArray[np.float32], ...]

    @classmethod
    def of(
        cls,
        representations: Representations,
        subset: Iterable[str] | None = None,
        progress: Progress = ignore_progress,
        cancelled: IsCancelled = never_cancelled,
    ) -> VoxelFeatures:
        """Gather them; the slow part of refinement, done once for a subset.

        Raises
        ------
        ValueError
            If the subset is empty or names a modality that was not encoded.
        Cancelled
            If `cancelled` answered True.
        """
        case, box = representations.case, representations.box
        names = representations.subset(subset)
        steps = 2 * len(names) + 1
        own = representations.log_probabilities(names, floor=_FLOOR)
        progress(1, steps, _GATHERING)
        masks = {name: brain_mask(case.images[name]) for name in names}
        inside = np.logical_or.reduce([masks[name][box] for name in names])
        rows = np.full(shape_of(box), -1, np.int32)
        rows[inside] = np.arange(np.count_nonzero(inside), dtype=np.int32)
        columns: list[NDArray[np.float32]] = []
        images, grey = [], []
        for done, name in enumerate(names):
            if cancelled():
                raise Cancelled
            # A joint model would need a pass for each modality alone: then the subset's own logits do.
            if len(names) > 1 and representations.at_once((name,)):
                alone = representations.log_probabilities((name,), floor=_FLOOR)
                columns += [(part[inside] - alone[0][inside]) / _LOGIT_SCALE for part in alone[1:]]
            progress(2 + 2 * done, steps, _GATHERING)
            image = normalize(case.images[name], masks[name])[box]
            for width in SMOOTHINGS_MM:
                smooth = _smoothed(image, masks[name][box], width, case.grid.spacing)
                if width:
                    grey.append(len(columns))
                columns.append(smooth[inside])
                if width == SMOOTHINGS_MM[1]:
                    images.append(smooth)
            progress(3 + 2 * done, steps, _GATHERING)
        columns += [(part[inside] - own[0][inside]) / _LOGIT_SCALE for part in own[1:]]
        columns.append(np.ones(len(columns[0]), np.float32))
        logits = np.stack([part[inside] for part in own], axis=1)
        values = np.stack(columns, axis=1).astype(np.float16)
        return cls(box, rows, logits, values, tuple(grey), tuple(images))

    @property
    def width(self) -> int:
        """How many columns `design` has."""
        return self.values.shape[1] + len(self.grey) * len(_BUMPS)

    def design(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return what a linear head sees of some rows (n, `width`): their values, and bumps of grey."""
        values = self.values[rows].astype(np.float32)
        grey = values[:, self.grey, None]
        bumps = np.exp(-2 * np.square(grey - _BUMPS)).reshape(len(values), len(self.grey) * len(_BUMPS))
        return np.concatenate([values, bumps], axis=1)

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        images = sum(image.nbytes for image in self.images)
        return self.rows.nbytes + self.logits.nbytes + self.values.nbytes + images


_GATHERING = "Preparing refinement"


def _smoothed(
    image: NDArray[np.float32],
    mask: NDArray[np.bool_],
    width: float,
    spacing: tuple[float, float, float],
) -> NDArray[np.float32]:
    """Return the mean over brain voxels under a Gaussian of `width` mm; 0 outside the brain."""
    if not width:
        return image
    sigma = [width / size for size in spacing]
    total = ndimage.gaussian_filter(image, sigma, mode="constant", truncate=2.5)
    share = ndimage.gaussian_filter(mask.astype(np.float32), sigma, mode="constant", truncate=2.5)
    return np.where(mask, total / np.maximum(share, 1e-3), np.float32(0))
