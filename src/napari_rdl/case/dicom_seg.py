"""Labels as a DICOM segmentation, for patients whose NIfTI files were converted from a DICOM series.

A NIfTI file does not say which DICOM series it came from, so the series is given beside it. It must be the
one whose grid the labels lie on: single-frame images, parallel and evenly spaced, converted without
resampling (as dcm2niix does). Needs highdicom, an optional extra.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_rdl.brats import CLASS_TITLES, CLASSES
from napari_rdl.case.patient import Case
from napari_rdl.case.provenance import current_versions
from napari_rdl.errors import CaseError, ConfigError, OutputError
from napari_rdl.files import is_file, is_folder, write_file

if TYPE_CHECKING:
    from pydicom import Dataset

_CODES: dict[str, tuple[str, str, str]] = {
    "NCR": ("6574001", "SCT", "Necrosis"),
    "ED": ("79654002", "SCT", "Edema"),
    "ET": ("C113842", "NCIt", "Enhancing Lesion"),
}
"""What each class is in SNOMED CT, or where that has no word for it in the NCI's thesaurus."""
_CATEGORY = ("49755003", "SCT", "Morphologically Altered Structure")
_OFF_VOXELS = 0.05
"""How far from a voxel's middle a DICOM voxel may lie, in voxels: conversion rounds a little."""


def save_dicom_seg(
    classes: NDArray[np.uint8],
    case: Case,
    series: str | Path,
    path: str | Path,
    *,
    annotator: str = "",
    series_uid: str | None = None,
) -> Path:
    """Write labels as a DICOM SEG that refers to the series which the patient's images came from.

    Parameters
    ----------
    classes : ndarray of uint8, shape (X, Y, Z)
        Class indices on ``case.grid``; each of NCR, ED and ET that occurs becomes a segment.
    case : Case
    series : str or Path
        Folder with the DICOM files of one of the patient's modalities.
    path : str or Path
        The file to be written.
    annotator : str
        Who corrected the labels; the content creator's name.
    series_uid : str, optional
        Which series, where the folder has several.

    Returns
    -------
    Path

    Raises
    ------
    ConfigError
        If highdicom is not installed.
    CaseError
        If the folder has no such series, the series does not lie on the case's grid, or nothing is labelled.
    OutputError
        If the file cannot be written, or is there and is no DICOM segmentation.
    """
    try:
        import highdicom as hd
    except ImportError:
        raise ConfigError(
            "DICOM segmentations need highdicom, which is not installed: install napari-rdl[dicom]."
        ) from None
    if classes.shape != case.grid.shape:
        raise ValueError(f"labels of shape {classes.shape} are not on the case's grid {case.grid.shape}")
    present = [index for index in range(1, len(CLASSES)) if (classes == index).any()]
    if not present:
        raise CaseError(f"{case.name} has no labels: a DICOM segmentation without a segment is none.")
    _refuse_foreign(Path(path))
    images = read_series(series, series_uid)
    frames = _on_series(classes, case, images, Path(series))
    masks = np.stack([frames == index for index in present], axis=-1)
    algorithm = hd.AlgorithmIdentificationSequence(
        name="napari-rdl",
        version=_version(),
        family=hd.sr.CodedConcept("123109", "DCM", "Manual Processing"),
    )
    segments = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=CLASS_TITLES.get(CLASSES[index], CLASSES[index]),
            segmented_property_category=hd.sr.CodedConcept(*_CATEGORY),
            segmented_property_type=hd.sr.CodedConcept(*_CODES[CLASSES[index]]),
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
            algorithm_identification=algorithm,
        )
        for number, index in enumerate(present, 1)
    ]
    segmentation = hd.seg.Segmentation(
        source_images=images,
        pixel_array=masks,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=segments,
        series_instance_uid=hd.UID(),
        series_number=int(getattr(images[0], "SeriesNumber", None) or 0) + 1000,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="napari-rdl",
        manufacturer_model_name="napari-rdl",
        software_versions=_version(),
        device_serial_number="none",
        series_description="Tumour labels, research only",
        content_label="TUMOUR",
        # The caret says that it is a family name as a whole: nobody asked for more.
        content_creator_name=f"{said}^" if (said := annotator.replace("^", " ").strip()) else None,
    )
    return write_file(Path(path), segmentation.save_as)


def read_series(folder: str | Path, series_uid: str | None = None) -> list[Dataset]:
    """Read the single-frame images of one DICOM series, in the order of their places.

    Raises
    ------
    ConfigError
        If pydicom is not installed.
    CaseError
        If there is no series, or several and none is named, or its images are no even stack.
    """
    try:
        from pydicom import dcmread
        from pydicom.errors import InvalidDicomError
    except ImportError:
        raise ConfigError("Reading DICOM needs pydicom: install napari-rdl[dicom].") from None
    folder = Path(folder)
    found: dict[str, list[Dataset]] = defaultdict(list)
    for file in sorted(folder.rglob("*")) if is_folder(folder) else ():
        if not file.is_file() or file.name.startswith("."):
            continue
        try:
            image = dcmread(file)
        except (InvalidDicomError, OSError, ValueError):
            continue
        if "PixelData" in image and "ImagePositionPatient" in image and "ImageOrientationPatient" in image:
            found[str(image.SeriesInstanceUID)].append(image)
    if not found:
        raise CaseError(
            f"{folder} has no single-frame DICOM images: give the folder of the series that the NIfTI files "
            "were converted from."
        )
    if series_uid is None and len(found) > 1:
        listed = "; ".join(
            f"{uid} ({getattr(images[0], 'SeriesDescription', '') or len(images)})"
            for uid, images in found.items()
        )
        raise CaseError(f"{folder} has {len(found)} series: name one of {listed}.")
    if series_uid is not None and series_uid not in found:
        raise CaseError(f"{folder} has no series {series_uid}.")
    images = found[series_uid] if series_uid is not None else next(iter(found.values()))
    normal = _normal(images[0])
    return sorted(images, key=lambda image: float(np.dot(normal, _position(image))))


def series_affine(images: Sequence[Dataset]) -> NDArray[np.float64]:
    """Return the affine (4, 4) from (slice, row, column) of a series to RAS+ millimetres.

    Raises
    ------
    CaseError
        If the images are no stack of parallel, evenly spaced slices of one size.
    """
    first = images[0]
    orientation = np.array(first.ImageOrientationPatient, float)
    row_mm, column_mm = (float(size) for size in first.PixelSpacing)
    positions = np.array([_position(image) for image in images])
    steps = np.diff(positions, axis=0)
    sizes = {(int(image.Rows), int(image.Columns)) for image in images}
    alike = all(np.allclose(image.ImageOrientationPatient, orientation, atol=1e-4) for image in images)
    if len(images) < 2 or len(sizes) > 1 or not alike or not np.allclose(steps, steps[0], atol=1e-2):
        raise CaseError(
            "The DICOM series is no stack of parallel, evenly spaced slices of one size: give the whole "
            "series, with every slice."
        )
    affine = np.eye(4)
    # A row's direction is the way along it, so that the column's number grows.
    affine[:3, 0] = steps.mean(axis=0)
    affine[:3, 1] = orientation[3:] * row_mm
    affine[:3, 2] = orientation[:3] * column_mm
    affine[:3, 3] = positions[0]
    # DICOM's patient is LPS.
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def _refuse_foreign(path: Path) -> None:
    """Refuse to write over a file that is no DICOM segmentation, such as one of the patient's images."""
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError
    from pydicom.uid import SegmentationStorage

    if not is_file(path):
        return
    try:
        kind = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"]).get("SOPClassUID")
    except (InvalidDicomError, OSError, ValueError):
        kind = None
    if kind != SegmentationStorage:
        raise OutputError(f"{path} is there and is no DICOM segmentation: choose another name.")


def _on_series(
    classes: NDArray[np.uint8], case: Case, images: Sequence[Dataset], folder: Path
) -> NDArray[np.uint8]:
    """Return the labels as (slice, row, column) of a series that lies on the same voxels."""
    shape = (len(images), int(images[0].Rows), int(images[0].Columns))
    to_case = np.linalg.inv(case.grid.affine) @ series_affine(images)
    axes, start = to_case[:3, :3], to_case[:3, 3]
    whole = np.round(axes)
    ends = np.array(shape) - 1
    far = np.abs((axes - whole) @ ends) + np.abs(start - np.round(start))
    turned = sorted(np.abs(whole).sum(axis=0).tolist()) == [1, 1, 1] and abs(np.linalg.det(whole)) == 1
    if not turned or far.max() > _OFF_VOXELS:
        raise CaseError(
            f"The DICOM series in {folder} does not lie on the grid of {case.name}: give the series whose "
            "NIfTI file has this grid; a patient that was resampled or registered has none."
        )
    order = [int(np.flatnonzero(whole[:, axis])[0]) for axis in range(3)]
    seen = np.transpose(classes, order)
    signs = [int(whole[order[axis], axis]) for axis in range(3)]
    seen = seen[tuple(slice(None, None, sign) for sign in signs)]
    at_zero = np.round(start).astype(int)
    fits = all(
        at_zero[order[axis]] == (0 if signs[axis] > 0 else classes.shape[order[axis]] - 1)
        for axis in range(3)
    )
    if seen.shape != shape or not fits:
        raise CaseError(
            f"The DICOM series in {folder} has {' x '.join(map(str, shape))} voxels (slices, rows, columns) "
            f"and the grid of {case.name} others: give the whole series that the images were converted from."
        )
    return np.ascontiguousarray(seen)


def _position(image: Any) -> NDArray[np.float64]:
    return np.array(image.ImagePositionPatient, float)


def _normal(image: Any) -> NDArray[np.float64]:
    orientation = np.array(image.ImageOrientationPatient, float)
    return np.cross(orientation[:3], orientation[3:])


def _version() -> str:
    return current_versions()["napari_rdl"]
