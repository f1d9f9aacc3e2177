"""Reading NIfTI files strictly: what cannot be used is refused in one sentence that names the file."""

from __future__ import annotations

import stat
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from isal import igzip, igzip_lib
from nibabel.filebasedimages import ImageFileError
from nibabel.nifti1 import Nifti1Header, Nifti1Pair
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from napari_rdl.brats import LABEL_CONVENTIONS, LabelConvention
from napari_rdl.case.geometry import SPACING_MM, Shape, millimetres_of, unit_of
from napari_rdl.case.intensity import replace_nonfinite
from napari_rdl.case.voxels import quiet_nibabel, raw_header, read_voxels, refuse_false_claims
from napari_rdl.errors import CaseError, Remedy

NIFTI_ENDINGS: tuple[str, ...] = (".nii", ".nii.gz", ".hdr", ".hdr.gz", ".img", ".img.gz")
"""Endings of NIfTI files, in lower case."""

_INFLATE_ERROR: type[Exception] = igzip_lib.error  # type: ignore[assignment]
_BROKEN = (
    EOFError,
    OSError,
    zlib.error,
    _INFLATE_ERROR,
    ValueError,
    TypeError,
    OverflowError,
    MemoryError,
    ImageFileError,
    HeaderDataError,
)
_MAX_CONDITION = 1e6
_SNIFFED = 4096  # more than nibabel reads to tell a file's kind


def stem_of(path: Path) -> str:
    """Return a file's name without its NIfTI ending."""
    name = path.name
    for ending in sorted(NIFTI_ENDINGS, key=len, reverse=True):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return path.stem


def is_nifti_name(name: str) -> bool:
    """Tell whether a file's name has a NIfTI ending and is not hidden."""
    return not name.startswith(".") and name.lower().endswith(NIFTI_ENDINGS)


def read_image(
    path: str | Path, *, stored: bool = False
) -> tuple[NDArray, NDArray[np.float64], Nifti1Header, tuple[str, ...]]:
    """Read one modality as it lies in the file.

    Parameters
    ----------
    path : str or Path
        A NIfTI-1 or NIfTI-2 file, ``.nii``, ``.nii.gz`` or a ``.hdr``/``.img`` pair.
    stored : bool
        Leave integers that need no scaling as they are, for who turns them round and makes float32 of them
        in one go.

    Returns
    -------
    image : ndarray of float32, shape (I, J, K)
        Scaled intensities in the file's own axis order, finite; integers where `stored` leaves them.
    affine : ndarray of float64, shape (4, 4)
    header : Nifti1Header
    notes : tuple of str
        What was mended, one sentence each.

    Raises
    ------
    CaseError
        If the file is no 3D image of real numbers, is empty, cut off or unreadable, has one value
        only, or an affine that cannot be inverted.
    """
    path = Path(path)
    image, affine, header, notes = _read(path, stored=stored)
    count, background = replace_nonfinite(image) if image.dtype.kind == "f" else (0, 0.0)
    if count == image.size:
        raise CaseError(f"{path} holds no finite value at all: export it again.")
    if count:
        notes.append(
            f"{path.name}: {count} voxels were NaN or infinite and were set to the background {background:g}."
        )
    if image.flat[0] == image.flat[-1] and image.min() == image.max():
        value = f"has the value {image.flat[0]:g}" if image.flat[0] else "is zero"
        raise CaseError(f"{path} {value} everywhere: export it again or leave this modality out.")
    return image, affine, header, tuple(notes)


def read_mask(
    path: str | Path, convention: LabelConvention
) -> tuple[NDArray[np.uint8], NDArray[np.float64], Nifti1Header]:
    """Read an expert's mask as class indices, as it lies in the file.

    Returns
    -------
    classes : ndarray of uint8, shape (I, J, K)
        Class indices in the file's own axis order.
    affine : ndarray of float64, shape (4, 4)
    header : Nifti1Header

    Raises
    ------
    CaseError
        If the file is unreadable, or holds a value that `convention` does not have.
    """
    path = Path(path)
    values, affine, header, _ = _read(path)
    try:
        return convention.decode(values), affine, header
    except ValueError as error:
        raise CaseError(
            f"{path} cannot be read as a mask ({error})",
            Remedy.NAME_LABELS,
            conventions=", ".join(LABEL_CONVENTIONS),
        ) from error


def _read(
    path: Path, *, stored: bool = False
) -> tuple[NDArray, NDArray[np.float64], Nifti1Header, list[str]]:
    image = _open(path)
    shape = image_shape(path, image)
    affine = _affine(path, image)
    _refuse_odd_spacing(path, affine, image.header)
    try:
        array = read_voxels(image, stored=stored)
    except _BROKEN as error:
        raise CaseError(f"{path} is cut off or damaged: copy or export it again.") from error
    notes = []
    if not int(image.header["sform_code"]) and not int(image.header["qform_code"]):
        notes.append(
            f"{path.name} does not say where the patient lies (no sform, no qform): "
            "left and right are assumed, not known."
        )
    if millimetres_of(image.header) != 1:
        notes.append(f"{path.name} gives its voxel size in {unit_of(image.header)}.")
    return array.reshape(shape), affine, image.header, notes


def _open(path: Path) -> Nifti1Pair:
    _refuse_no_file(path)
    try:
        header = raw_header(path)
        if header is not None:
            refuse_false_claims(path, header)
            _refuse_no_size(path, header)
        with quiet_nibabel():
            # Not mapped: a case must not change when its file does.
            image: Any = nib.load(path, mmap=False)
    except PermissionError as error:
        raise CaseError(f"{path} may not be read: ask for the right to read it.") from error
    except _BROKEN as error:
        if _is_cut_off_gzip(path):
            raise CaseError(f"{path} is cut off or damaged: copy or export it again.") from error
        raise CaseError(
            f"{path} is not a NIfTI file, whatever its name says: convert it with dcm2niix or export it anew."
        ) from error
    if not isinstance(image, Nifti1Pair):
        raise CaseError(
            f"{path} is a {type(image).__name__}, not a NIfTI volume: export the patient's image as NIfTI."
        )
    return image


def _refuse_no_file(path: Path) -> None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CaseError(f"{path} does not exist: check the name.") from error
    except PermissionError as error:
        raise CaseError(f"{path} may not be read: ask for the right to read it.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CaseError(f"{path} cannot be read ({reason}): check the name.") from error
    if stat.S_ISDIR(status.st_mode):
        raise CaseError(f"{path} is a folder where a NIfTI file was expected: name the file in it.")
    if not stat.S_ISREG(status.st_mode):
        raise CaseError(f"{path} is a device or a pipe: give a NIfTI file.")
    if status.st_size == 0:
        raise CaseError(f"{path} is empty (0 bytes): copy or export it again.")


def _refuse_no_size(path: Path, header: Nifti1Header) -> None:
    """Refuse voxels of no size, which nibabel takes for 1 mm, where nothing else says how large they are."""
    sizes = np.asarray(header["pixdim"][1:4], float)
    if int(header["sform_code"]) <= 0 and not (np.isfinite(sizes) & (sizes != 0)).all():
        raise CaseError(
            f"{path} gives its voxels the size {_sizes(sizes)}: export it again or repair its header."
        )


def _refuse_odd_spacing(path: Path, affine: NDArray[np.float64], header: Nifti1Header) -> None:
    spacing = np.linalg.norm(affine[:3, :3], axis=0) * millimetres_of(header)
    # Rounding in single precision must not decide.
    if (spacing < SPACING_MM[0] * (1 - 1e-6)).any() or (spacing > SPACING_MM[1] * (1 + 1e-6)).any():
        raise CaseError(
            f"{path} has voxels of {_sizes(spacing)} mm ({unit_of(header)} in its header), not "
            f"between {SPACING_MM[0]:g} and {SPACING_MM[1]:g} mm: export it again or repair its header."
        )


def _sizes(sizes: NDArray[np.float64]) -> str:
    return " x ".join(f"{size:.4g}" for size in sizes)


def image_shape(path: Path, image: Nifti1Pair) -> Shape:
    """Return the three spatial sizes of an image of real numbers.

    Raises
    ------
    CaseError
        If it is RGB, complex, 2D, or has more than one volume.
    """
    dtype = image.get_data_dtype()
    if dtype.fields is not None:
        raise CaseError(f"{path} is a colour (RGB) picture: give the original greyscale volume instead.")
    if np.issubdtype(dtype, np.complexfloating):
        raise CaseError(f"{path} holds complex numbers: give the magnitude image instead.")
    shape = tuple(int(size) for size in image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) > 3:
        raise CaseError(
            f"{path} is {len(shape)}D ({' x '.join(map(str, shape))}): "
            "split it and give one 3D volume per modality."
        )
    if len(shape) < 3 or min(shape) < 2:
        raise CaseError(
            f"{path} is no volume ({' x '.join(map(str, shape))} voxels): "
            "give the whole 3D volume, not a slice."
        )
    return shape[0], shape[1], shape[2]


def _affine(path: Path, image: Nifti1Pair) -> NDArray[np.float64]:
    affine = np.array(image.affine, float)
    linear = affine[:3, :3]
    if not np.isfinite(affine).all() or not np.linalg.cond(linear) < _MAX_CONDITION:
        raise CaseError(
            f"{path} has an affine that cannot be inverted, so its voxels have no place in space: "
            "export it again or repair its header."
        )
    return affine


def _is_cut_off_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return False
    try:
        with igzip.open(path) as stream:
            stream.read(_SNIFFED)
    except (OSError, EOFError, zlib.error, _INFLATE_ERROR):
        return True
    return False
