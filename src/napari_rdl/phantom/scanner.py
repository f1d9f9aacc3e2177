"""What the scanner and the processing after it do to an image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_rdl.phantom.anatomy import Head
from napari_rdl.phantom.fields import Volume, along_axes, linear_matrix, log_uniform, ramp, smooth_field
from napari_rdl.phantom.settings import ScannerSettings


def acquire(
    rng: np.random.Generator, settings: ScannerSettings, head: Head, image: Volume, modality: str
) -> tuple[NDArray[np.int16], dict[str, Any]]:
    """Turn a noiseless image into what a file holds.

    Parameters
    ----------
    image : Volume
        (X, Y, Z), white matter near 1.

    Returns
    -------
    NDArray of int16
        (X, Y, Z), 0 outside the brain mask, at least 1 inside.
    dict
        What was drawn.
    """
    canvas, spacing = head.canvas, head.canvas.spacing
    bias = float(rng.uniform(*settings.bias) * rng.uniform(0.3, 1))
    shading = float(rng.uniform(*settings.shading))
    bias_field = smooth_field(rng, canvas, float(rng.uniform(45, 90)))
    centre_bright = ramp(head.depth, 45, 0) ** 2
    image = image * np.exp(np.float32(bias) * bias_field + np.float32(shading) * centre_bright)

    moved = bool(rng.random() < settings.shifted)
    offset = rng.normal(0, settings.shift_mm, 3) / spacing
    if moved:
        image = _shifted(image, offset)

    sigma = float(rng.uniform(*settings.blur_mm))
    # A voxel's own width blurs as well; only what goes beyond it is left to do.
    if sigma / spacing > 0.33:
        image = ndimage.gaussian_filter(image, sigma / spacing, truncate=3)
    noise = log_uniform(rng, settings.noise)
    thick = bool(rng.random() < settings.thick[modality])
    thickness = float(rng.uniform(*settings.thickness_mm))
    plane = int(rng.choice(3, p=[0.12, 0.13, 0.75]))
    gap = float(rng.uniform(1.0, 1.2))
    start = float(rng.random())
    ghost = float(rng.uniform(0.01, 0.06)) if rng.random() < settings.ghost else 0.0
    if ghost:
        phase = int(rng.choice([a for a in range(3) if a != plane]))
        image = image + np.float32(ghost) * np.roll(
            image, int(image.shape[phase] * rng.uniform(0.3, 0.7)), phase
        )
    if thick and thickness * gap > 1.5 * spacing:
        image = _slices(
            rng, image, plane, thickness / spacing, thickness * gap / spacing, start, noise / spacing
        )
    else:
        image = _rician(rng, image, noise / spacing)

    inside = head.mask
    values = image[inside]
    high = float(np.percentile(values, 99.5))
    gamma = float(np.exp(rng.uniform(*np.log(settings.gamma))))
    top = log_uniform(rng, settings.top)
    offset_level = float(rng.uniform(0, 0.04))
    scaled = np.clip(values / high + offset_level, 0, 5) ** np.float32(gamma) * np.float32(top)
    result = np.zeros(image.shape, np.int16)
    result[inside] = np.clip(np.rint(scaled), 1, 32000).astype(np.int16)
    record = {
        "bias": bias,
        "shading": shading,
        "moved_mm": (offset * spacing).round(3).tolist() if moved else None,
        "blur_mm": sigma,
        "noise": noise,
        "thickness_mm": thickness if thick else None,
        "plane": plane if thick else None,
        "ghost": ghost,
        "gamma": gamma,
        "top": top,
    }
    return result, record


def _shifted(image: Volume, offset: NDArray[np.float64]) -> Volume:
    """Move `image` by a part of a voxel or a few along each axis, with linear interpolation."""
    matrices = [
        linear_matrix((np.arange(count) + by).astype(np.float32), count)
        for count, by in zip(image.shape, offset, strict=True)
    ]
    return along_axes(image, matrices)


def _rician(rng: np.random.Generator, image: Volume, sigma: float) -> Volume:
    """Return the magnitude of `image` plus complex Gaussian noise."""
    real = image + np.float32(sigma) * rng.standard_normal(image.shape, np.float32)
    imaginary = np.float32(sigma) * rng.standard_normal(image.shape, np.float32)
    return np.hypot(real, imaginary)


def _slices(
    rng: np.random.Generator, image: Volume, axis: int, width: float, step: float, start: float, sigma: float
) -> Volume:
    """Acquire slices `width` voxels thick every `step` voxels, with noise, and interpolate between them."""
    count = image.shape[axis]
    centres = np.arange((start - 0.5) * step, count - 1 + step / 2, step, dtype=np.float32)
    voxels = np.arange(count, dtype=np.float32)
    # Overlap of each voxel with each slice: the profile is a box of `width`.
    overlap = np.clip(
        np.minimum(voxels[None] + 0.5, centres[:, None] + width / 2)
        - np.maximum(voxels[None] - 0.5, centres[:, None] - width / 2),
        0,
        None,
    )
    total = overlap.sum(1, keepdims=True)
    keep = total[:, 0] > 0.2 * width
    overlap, centres = (overlap / np.maximum(total, 1e-6))[keep], centres[keep]
    stack = np.tensordot(overlap.astype(np.float32), image, axes=(1, axis))
    stack = _rician(rng, stack, sigma)
    back = linear_matrix((voxels - centres[0]) / np.float32(step), len(centres))
    return np.ascontiguousarray(np.moveaxis(np.tensordot(back, stack, axes=(1, 0)), 0, axis))
