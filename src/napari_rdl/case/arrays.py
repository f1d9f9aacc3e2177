"""Making a Case from arrays that share a grid: layers without a file, phantoms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Header
from numpy.typing import NDArray

from napari_rdl.brats import (
    DEFAULT_CONVENTION,
    LABEL_CONVENTIONS,
    MODALITIES,
    LabelConvention,
    modality_of_token,
)
from napari_rdl.case.geometry import SPACING_MM, Native
from napari_rdl.case.intensity import replace_nonfinite
from napari_rdl.case.naming import convention_named
from napari_rdl.case.patient import Case
from napari_rdl.errors import CaseError
from napari_rdl.files import plain_name


def case_from_arrays(
    images: Mapping[str, NDArray[Any]],
    affine: NDArray[Any],
    *,
    name: str,
    files: Mapping[str, str | Path] | None = None,
    convention: LabelConvention | str = DEFAULT_CONVENTION,
) -> Case:
    """Make a case from arrays that share one grid: layers without a file, phantoms.

    Parameters
    ----------
    images : Mapping[str, ndarray, shape (I, J, K)]
        Modality -> intensities; copied, never changed.
    affine : array-like, shape (4, 4)
        Voxel index -> millimetres, RAS+ world, in any axis order. It is kept in single precision,
        as NIfTI files keep it.
    name : str
    files : Mapping, optional
        Modality -> the file that the array came from, for the record.
    convention : LabelConvention or str
        In which results are written.

    Raises
    ------
    CaseError
        If an array is no volume of finite numbers, or the shapes or the affine do not fit.
    """
    if not images:
        raise CaseError("No modality was given: name at least one image.")
    known = {modality_of_token(key) or key: array for key, array in images.items()}
    strangers = [key for key in known if key not in MODALITIES]
    if strangers or len(known) != len(images):
        raise CaseError(f"{', '.join(images)} are not distinct modalities: use {', '.join(MODALITIES)}.")
    affine = np.array(affine, float)
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or not abs(np.linalg.det(affine[:3, :3])) > 0:
        raise CaseError(f"The affine of {name} cannot be inverted: give the images' own 4 x 4 affine.")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if spacing.min() < SPACING_MM[0] * (1 - 1e-6) or spacing.max() > SPACING_MM[1] * (1 + 1e-6):
        raise CaseError(
            f"{name} has voxels of {' x '.join(f'{size:.4g}' for size in spacing)} mm, not between "
            f"{SPACING_MM[0]:g} and {SPACING_MM[1]:g} mm: give the images' own affine, in millimetres."
        )
    arrays = {modality: known[modality] for modality in MODALITIES if modality in known}
    first, notes = next(iter(arrays)), list[str]()
    cleaned: dict[str, NDArray[np.float32]] = {}
    for modality, array in arrays.items():
        shape = np.shape(array)
        if len(shape) != 3 or min(shape) < 2 or np.iscomplexobj(array):
            raise CaseError(f"The {modality} image of {name} is no 3D volume of real numbers: give one.")
        if shape != np.shape(arrays[first]):
            raise CaseError(
                f"The {modality} image of {name} has the shape {shape}, "
                f"{first} has {np.shape(arrays[first])}: give images on one grid."
            )
        cleaned[modality] = _finite(np.array(array, np.float32), modality, notes)
    header = _header_for(cleaned[first].shape, affine)
    native = Native.from_header(cleaned[first].shape, header.get_best_affine(), header)
    chosen = convention_named(convention) if isinstance(convention, str) else convention
    return Case(
        name=plain_name(name),
        images={key: native.from_native(array) for key, array in cleaned.items()},
        grid=native.grid,
        native=native,
        files={key: Path(path) for key, path in (files or {}).items()},
        mask_file=None,
        convention=chosen or LABEL_CONVENTIONS[DEFAULT_CONVENTION],
        notes=tuple(notes),
        resampled=False,
    )


def _header_for(shape: tuple[int, ...], affine: NDArray[np.float64]) -> Nifti1Header:
    header = Nifti1Header()
    header.set_data_shape(shape)
    header.set_zooms(np.linalg.norm(affine[:3, :3], axis=0))
    header.set_xyzt_units("mm")
    header.set_sform(affine, code="scanner")
    return header


def _finite(image: NDArray[np.float32], modality: str, notes: list[str]) -> NDArray[np.float32]:
    count, background = replace_nonfinite(image)
    if count == image.size:
        raise CaseError(f"The {modality} image holds no finite value at all: give another.")
    if count:
        notes.append(f"{modality}: {count} voxels were NaN or infinite and were set to {background:g}.")
    return image
