"""Small NIfTI files that the tests of this room write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

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
