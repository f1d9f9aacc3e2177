"""Small NIfTI files that the tests of this room write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

SHAPE = (9, 10, 11)


@pytest.fixture
def volume() -> np.ndarray:
    """An int16 volume with a background of 0 and many values inside."""
    rng = np.random.default_rng(1)
    array = np.zeros(SHAPE, np.int16)
    array[2:-2, 2:-2, 2:-2] = rng.integers(50, 2000, tuple(size - 4 for size in SHAPE))
    return array


@pytest.fixture
def write(tmp_path: Path, volume: np.ndarray) -> Callable[..., Path]:
    """Write a NIfTI file into the test's folder; without an array, the small volume."""

    def write(name: str, array: np.ndarray | None = None, affine: np.ndarray | None = None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        affine = np.diag([-1.0, -1.0, 1.0, 1.0]) if affine is None else affine
        nib.save(nib.Nifti1Image(volume if array is None else array, affine), path)
        return path

    return write


def head(size: int = 74, seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A brain of 2 mm voxels: folded cortex around white matter, ventricles, vessels."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*[(np.arange(size) - size / 2) * 2.0] * 3, indexing="ij")
    radius = np.sqrt(sum((axis / scale) ** 2 for axis, scale in zip(axes, (62, 70, 58), strict=True)))
    folds = gaussian_filter(rng.normal(size=radius.shape), 1.9)
    folds /= folds.std()
    brain = radius < 1
    tissue = np.where((1 - radius) * 62 + 3 * folds > 12, 2, 1)  # 1 cortex, 2 white matter
    tissue[(np.abs(axes[0]) < 14) & (np.abs(axes[1] + 10) < 24) & (np.abs(axes[2] - 5) < 9)] = 3  # CSF
    vessels = gaussian_filter(rng.normal(size=radius.shape), 0.8)
    tissue[vessels > np.quantile(vessels, 0.975)] = 4
    tissue[~brain] = 0
    brightness = {
        "T1": (0, 300, 420, 150, 300),
        "T1c": (0, 310, 430, 150, 1100),
        "T2": (0, 420, 300, 1100, 330),
        "FLAIR": (0, 400, 310, 130, 330),
    }
    images = {}
    for name, values in brightness.items():
        image = gaussian_filter(np.array(values, np.float32)[tissue], 0.6)
        images[name] = np.where(brain, image + rng.normal(0, 10, image.shape), 0).astype(np.float32)
    return images, np.diag([2.0, 2.0, 2.0, 1.0])
