"""A patient at about 2 mm, cropped to the brain: enough to judge contrast and alignment, and quick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_rdl.boxes import bounding_box
from napari_rdl.case.intensity import brain_mask
from napari_rdl.case.patient import Case

_COARSE_MM = 2.0
_RIM_MM = 4.0
_CLIP = 8.0


@dataclass(frozen=True, eq=False)
class CoarseCase:
    """All modalities on one coarse grid, cropped to a box around the brain.

    Attributes
    ----------
    images : Mapping[str, ndarray of float32, shape (X, Y, Z)]
        Robust z-scores (median, interquartile range) over the inner brain, clipped to [-8, 8].
    brains : Mapping[str, ndarray of bool, shape (X, Y, Z)]
        Each modality's own brain without holes.
    inner : Mapping[str, ndarray of bool, shape (X, Y, Z)]
        The same without its outermost 4 mm, where stripping leaves partial volumes.
    depth : ndarray of float32, shape (X, Y, Z)
        Millimetres to the edge of the common brain, 0 outside.
    spacing : tuple of float
        Millimetres.
    """

    images: Mapping[str, NDArray[np.float32]]
    brains: Mapping[str, NDArray[np.bool_]]
    inner: Mapping[str, NDArray[np.bool_]]
    depth: NDArray[np.float32]
    spacing: tuple[float, float, float]


def coarse_case(case: Case) -> CoarseCase | None:
    """Shrink a case; None where a modality has no brain to speak of."""
    from scipy.ndimage import binary_fill_holes, distance_transform_edt

    factors = [max(1, round(_COARSE_MM / size)) for size in case.grid.spacing]
    x, y, z = (size * factor for size, factor in zip(case.grid.spacing, factors, strict=True))
    masks = {
        name: block_mean(brain_mask(image).astype(np.float32), factors) > 0.5
        for name, image in case.images.items()
    }
    box = bounding_box(np.logical_or.reduce(list(masks.values())), margin=1)
    if box is None:
        return None
    brains = {name: binary_fill_holes(mask[box]) for name, mask in masks.items()}
    depths: dict[str, NDArray[np.float64]] = {}
    for name, brain in brains.items():
        # Images that were stripped together share their brain, and the transform is the slowest step.
        twin = next((other for other in depths if np.array_equal(brains[other], brain)), None)
        depths[name] = (
            depths[twin]
            if twin is not None
            # Padded, since a brain that is cut by the volume's face has an edge there too.
            else distance_transform_edt(np.pad(brain, 1), sampling=(x, y, z))[(slice(1, -1),) * 3]
        )
    inner = {name: depth > _RIM_MM for name, depth in depths.items()}
    if not all(mask.sum() > 500 for mask in inner.values()):
        return None
    return CoarseCase(
        images={
            name: _robust_z(block_mean(image, factors)[box], inner[name])
            for name, image in case.images.items()
        },
        brains=brains,
        inner=inner,
        depth=np.minimum.reduce(list(depths.values())).astype(np.float32),
        spacing=(x, y, z),
    )


def block_mean(image: NDArray[np.float32], factors: list[int]) -> NDArray[np.float32]:
    """Average over blocks of voxels; a remainder at the far end is dropped."""
    for axis, factor in enumerate(factors):
        if factor == 1:
            continue
        size = image.shape[axis] // factor * factor
        image = sum(  # type: ignore[assignment]
            image[(slice(None),) * axis + (slice(start, size, factor),)] for start in range(factor)
        ) / np.float32(factor)
    return image


def _robust_z(image: NDArray[np.float32], inner: NDArray[np.bool_]) -> NDArray[np.float32]:
    low, median, high = np.percentile(image[inner], (25, 50, 75))
    deviation = max(float(high - low) / 1.349, 1e-6)
    return np.clip((image - np.float32(median)) / np.float32(deviation), -_CLIP, _CLIP)
