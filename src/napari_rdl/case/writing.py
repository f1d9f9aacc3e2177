"""Writing results: whole or not at all, and labels exactly where the images lie."""

from __future__ import annotations

import gzip
import io
import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from numpy.typing import NDArray

from napari_rdl.case.label_record import Correction, record_of, record_path
from napari_rdl.case.patient import Case
from napari_rdl.case.provenance import current_versions
from napari_rdl.case.record import Record
from napari_rdl.errors import OutputError
from napari_rdl.files import (
    is_file,
    is_there,
    parse_json,
    plain_name,
    read_bytes,
    write_bytes,
    write_together,
)

_COMPRESSION = 6
# What these fields say is true of the image, not of the labels that are drawn on it.
_IMAGE_FIELDS = ("cal_max", "cal_min", "intent_p1", "intent_p2", "intent_p3", "aux_file", "db_name")


def save_labels(
    classes: NDArray[np.uint8], case: Case, path: str | Path, record: Record | None = None
) -> Path:
    """Save class indices as a label file on the case's native grid, and the record that goes with it.

    The file has the reference image's affine and shape to the bit, uint8 values in the case's
    label convention, and the same bytes whenever the same labels are saved.

    Parameters
    ----------
    classes : ndarray of uint8, shape (X, Y, Z)
        Class indices on ``case.grid``, RAS+.
    case : Case
    path : str or Path
        Ends in ``.nii.gz`` or ``.nii``.
    record : Record, optional
        Written beside the labels with the ending ``.json``. Labels without theirs could be taken for an
        expert's, so it is never the one that is missing.

    Raises
    ------
    OutputError
        If it cannot be written there, or if that is one of the patient's own files.
    ValueError
        If `classes` is not on the case's grid.
    """
    path = Path(path)
    _spare_inputs(path, case)
    if classes.shape != case.grid.shape:
        raise ValueError(f"labels of shape {classes.shape} are not on the case's grid {case.grid.shape}")
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        raise OutputError(f"{path} is no name for labels: let it end in .nii.gz.")
    values = case.native.to_native(case.convention.encode(np.asarray(classes, np.uint8)))
    content = _label_bytes(values, case)
    if path.name.lower().endswith(".gz"):
        # No time and no name in the file: same labels, same bytes.
        packed = io.BytesIO()
        with gzip.GzipFile("", "wb", _COMPRESSION, packed, mtime=0) as file:
            file.write(content)
        content = packed.getvalue()
    if record is None:
        return write_bytes(path, content)
    write_together([(record_path(path), record.content()), (path, content)])
    return path


def save_correction(
    classes: NDArray[np.uint8], case: Case, path: str | Path, record: Correction | None = None
) -> Path:
    """Save what a human corrected, and beside it a record by which it is known again; see `save_labels`.

    What lies there is kept beside it as ``.before``.

    Parameters
    ----------
    record : Correction, optional
        One that says more than whose labels they are.

    Raises
    ------
    OutputError
        If it cannot be written there, or if that is one of the patient's own files.
    """
    path = Path(path)
    _spare_inputs(path, case)
    _keep_before(path)
    record = record or Correction(
        case=plain_name(case.name),
        labels=case.convention.name,
        output=path.name,
        versions=current_versions(),
    )
    return save_labels(classes, case, path, record)


def _spare_inputs(path: Path, case: Case) -> None:
    """Refuse to write over a file that a patient was read from."""
    own = [*case.files.values(), *([case.mask_file] if case.mask_file is not None else [])]
    for file in own:
        if is_there(file) and is_there(path) and os.path.samefile(file, path):
            raise OutputError(f"{path} is one of the patient's own files: choose another name.")


def _keep_before(path: Path) -> None:
    """Copy what lies at `path` to a name of its own, with its record, in place of the version before that."""
    if not is_file(path):
        return
    ending = ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix
    kept = path.with_name(f"{path.name[: len(path.name) - len(ending)]}.before{ending}")
    content = _content(path)
    if record_of(path) is None:
        # What is kept has no record, so it must not stand beside an older one's.
        record_path(kept).unlink(missing_ok=True)
        write_bytes(kept, content)
        return
    record = {**parse_json(read_bytes(record_path(path))), "output": kept.name}
    text = f"{json.dumps(record, indent=2)}\n".encode("utf-8", "backslashreplace")
    write_together([(record_path(kept), text), (kept, content)])


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OutputError(f"{path} cannot be kept as the version before: {error.strerror}.") from error


def _label_bytes(values: NDArray[np.uint8], case: Case) -> bytes:
    source = case.native.header
    wide = isinstance(source, Nifti2Header)
    header = Nifti2Header() if wide else Nifti1Header()
    # Field by field, since a .hdr/.img pair has another header class and other magic, and
    # extensions (DICOM headers among them) may name the patient.
    kept = set(header.keys()) - {"sizeof_hdr", "magic", "eol_check", "vox_offset", *_IMAGE_FIELDS}
    for field in kept:
        header[field] = source[field]
    header.set_data_dtype(np.uint8)
    header.set_slope_inter(1, 0)
    header.set_intent("none")
    shape = source.get_data_shape() or values.shape  # trailing axes of size one come back too
    image_class = nib.Nifti2Image if wide else nib.Nifti1Image
    image = image_class(values.reshape(shape), case.native.affine, header)
    return image.to_bytes()
