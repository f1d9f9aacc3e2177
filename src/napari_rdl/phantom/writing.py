"""Synthetic patients as BraTS folders, and the sample patient that the plugin opens."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_dir

from napari_rdl.brats import DEFAULT_CONVENTION, LABEL_CONVENTIONS, MODALITIES
from napari_rdl.callbacks import Progress, ignore_progress
from napari_rdl.files import write_folder
from napari_rdl.phantom.patient import BRATS_SHAPE, Phantom, make_phantom

_SUFFIXES = {"T1": "t1", "T1c": "t1ce", "T2": "t2", "FLAIR": "flair"}
SAMPLE_SEED = 12
SAMPLE_TYPE = "ring"
_SAMPLE_VERSION = 2
"""Part of the sample's folder name: raised whenever the generator makes another patient of its seed."""


def write_phantom(phantom: Phantom, folder: str | Path, *, name: str | None = None) -> Path:
    """Write a patient as BraTS 2021 has them and return the patient's folder.

    The folder ``<name>`` holds ``<name>_{t1,t1ce,t2,flair,seg}.nii.gz`` (int16, labels uint8 with
    0/1/2/4, LPS, at 1 mm 240x240x155) and ``<name>_phantom.json``, the record of what was drawn.
    It appears whole or not at all; a patient of the same name is replaced.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    name = name or phantom.name
    shape = tuple(round(size / phantom.spacing) for size in BRATS_SHAPE)
    affine = np.diag([-phantom.spacing, -phantom.spacing, phantom.spacing, 1.0])
    affine[:3, 3] = (0, 239, 0)

    def write(scratch: Path) -> None:
        for modality in MODALITIES:
            data = _on_brats_grid(phantom.images[modality], shape)
            _write_nifti(data, affine, scratch / f"{name}_{_SUFFIXES[modality]}.nii.gz")
        labels = LABEL_CONVENTIONS[DEFAULT_CONVENTION].encode(phantom.classes)
        _write_nifti(_on_brats_grid(labels, shape), affine, scratch / f"{name}_seg.nii.gz")
        record = {"seed": phantom.seed, "spacing": phantom.spacing, **phantom.record}
        (scratch / f"{name}_phantom.json").write_text(json.dumps(record, indent=1))

    return write_folder(Path(folder) / name, write)


def _on_brats_grid(cropped: NDArray[np.generic], shape: tuple[int, ...]) -> NDArray[np.generic]:
    """Put an RAS+ box into the middle of a grid of `shape`, as LPS; what does not fit is cut off."""
    full = np.zeros(shape, cropped.dtype)
    here, there = [], []
    for size, count in zip(shape, cropped.shape, strict=True):
        first = (size - count) // 2
        there.append(slice(max(first, 0), min(first + count, size)))
        here.append(slice(max(-first, 0), max(-first, 0) + min(count, size)))
    full[tuple(there)] = cropped[tuple(here)]
    return full[::-1, ::-1]


def _write_nifti(data: NDArray[np.generic], affine: NDArray[np.float64], path: Path) -> None:
    """Write a compressed NIfTI whose bytes depend on its content alone (no time stamp, no name)."""
    image = nib.Nifti1Image(np.ascontiguousarray(data), affine)
    image.header.set_xyzt_units("mm", "sec")
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    path.write_bytes(gzip.compress(image.to_bytes(), compresslevel=4, mtime=0))


def sample_patient_folder(progress: Progress | None = None) -> Path:
    """Return the sample patient's folder; it is made on first use and kept in the user's cache.

    Raises
    ------
    OutputError
        If the cache folder cannot be written.
    """
    report = progress or ignore_progress
    cache = Path(user_cache_dir("napari-rdl")) / f"sample-patient-{_SAMPLE_VERSION}"
    name = "Sample_patient"
    if (cache / name / f"{name}_seg.nii.gz").is_file():
        return cache / name
    report(0, 2, "Making the sample patient")
    phantom = make_phantom(SAMPLE_SEED, spacing=1.0, tumour=SAMPLE_TYPE)
    report(1, 2, "Writing the sample patient")
    folder = write_phantom(phantom, cache, name=name)
    report(2, 2, "The sample patient is ready")
    return folder
