"""A patient as the network sees it: normalised as at inference, on the working grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_rdl.boxes import bounding_box
from napari_rdl.cohort.patients import Patient
from napari_rdl.errors import CaseError
from napari_rdl.training.config import DataConfig
from napari_rdl.training.data.halves import midline

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Prepared:
    """What is cached of a patient.

    Attributes
    ----------
    images : ndarray
        (M, X, Y, Z) float16 z-scores; zero outside each modality's own brain mask and for absent ones.
    classes : ndarray
        (X, Y, Z) uint8 class indices.
    present : ndarray
        (M,) bool.
    spacing : tuple of float
        Voxel size in mm.
    midline : float
        Where along x, in voxels, the plane between the halves of the brain lies.
    """

    images: NDArray[np.float16]
    classes: NDArray[np.uint8]
    present: NDArray[np.bool_]
    spacing: Triple
    midline: float


def prepare(patient: Patient, data: DataConfig, modalities: Sequence[str]) -> Prepared:
    """Read or make a patient, and prepare it.

    Each modality is normalised with its own brain mask and resampled to the working lattice exactly
    as `napari_rdl.segment` does it. The volume is then cut to the box that holds any brain, which
    saves space only: what lies outside is zero.

    Raises
    ------
    CaseError
        If a patient cannot be read, has no usable mask or none of the modalities.
    """
    if patient.folder is None:
        images, classes, spacing = _phantom(patient, data)
    else:
        images, classes, spacing = _case(patient, data)
    known = [name for name in modalities if name in images]
    if not known:
        raise CaseError(f"{patient.name} has none of the modalities {', '.join(modalities)}.")
    prepared = [
        _to_working(images[name], spacing, data.spacing) if name in images else None for name in modalities
    ]
    labels = _labels_to_working(classes, spacing, data.spacing)
    stack = np.stack([np.zeros(labels.shape, np.float16) if image is None else image for image in prepared])
    brain = (stack != 0).any(0)
    box = bounding_box(brain | (labels > 0))
    assert box is not None
    present = np.array([name in images for name in modalities])
    return Prepared(
        np.ascontiguousarray(stack[(slice(None), *box)]),
        np.ascontiguousarray(labels[box]),
        present,
        data.spacing,
        midline(brain[box]),
    )


def _phantom(
    patient: Patient, data: DataConfig
) -> tuple[Mapping[str, NDArray[Any]], NDArray[np.uint8], Triple]:
    from napari_rdl.phantom import PhantomSettings, held_out_settings, make_phantom

    assert patient.seed is not None
    # Made at the working spacing where it can be, so that nothing is resampled afterwards.
    spacing = float(np.clip(min(data.spacing), 0.5, 4))
    settings = held_out_settings() if patient.held_out else PhantomSettings()
    volume = patient.volume_ml or (None if patient.held_out else data.phantom_volume_ml)
    if volume is not None:
        tumour = settings.tumour.model_copy(update={"volume_ml": volume})
        settings = settings.model_copy(update={"tumour": tumour})
    phantom = make_phantom(patient.seed, spacing=spacing, settings=settings)
    return phantom.images, phantom.classes, (spacing, spacing, spacing)


def _case(patient: Patient, data: DataConfig) -> tuple[Mapping[str, NDArray[Any]], NDArray[np.uint8], Triple]:
    case = patient.read(labels=data.labels, resample=data.resample)
    assert patient.folder is not None
    truth = case.truth()
    if truth is None:
        raise CaseError(
            f"{patient.folder} has no mask to learn from (such as {patient.folder.name}_seg.nii.gz)."
        )
    return case.images, truth, case.grid.spacing


def _to_working(image: NDArray[np.float32], case_spacing: Triple, spacing: Triple) -> NDArray[np.float16]:
    """Normalise one modality and bring it to the working lattice of the whole volume."""
    import torch

    from napari_rdl.case import brain_mask, normalize
    from napari_rdl.segment.working_grid import WorkingGrid

    image = np.asarray(image, np.float32)
    mask = brain_mask(image)
    box = bounding_box(mask)
    if box is None:
        raise CaseError("one of its images has no brain voxels: every voxel has the background's value")
    normal = normalize(image, mask)
    if case_spacing == spacing:
        return normal.astype(np.float16)
    grid = WorkingGrid.covering(box, case_spacing, spacing)
    whole = WorkingGrid.covering(_full_box(image.shape), case_spacing, spacing)
    volume = np.zeros(whole.shape, np.float16)
    place = tuple(slice(start, start + size) for start, size in zip(grid.start, grid.shape, strict=True))
    volume[place] = grid.to_working(torch.from_numpy(np.ascontiguousarray(normal[box]))).numpy()
    return volume


def _labels_to_working(
    classes: NDArray[np.uint8], case_spacing: Triple, spacing: Triple
) -> NDArray[np.uint8]:
    """Bring labels to the working lattice: the class with the largest share of each voxel."""
    import torch

    from napari_rdl.segment.working_grid import WorkingGrid

    if case_spacing == spacing:
        return classes
    whole = WorkingGrid.covering(_full_box(classes.shape), case_spacing, spacing)
    shares = [
        whole.to_working(torch.from_numpy((classes == index).astype(np.float32)))
        for index in range(int(classes.max()) + 1)
    ]
    return torch.stack(shares).argmax(0).numpy().astype(np.uint8)


def _full_box(shape: tuple[int, ...]) -> tuple[slice, slice, slice]:
    return slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2])
