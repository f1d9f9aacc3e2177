"""The bytes of a NIfTI file: no more than the file can hold, read to their end, and whole.

What a header claims is compared with the file before anything is allocated. A compressed file is read to
its end, so that its checksum and its length are looked at; values go straight to where they are kept, a piece
at a time, so that memory is bounded by the image and not by what lies between.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from isal import igzip
from nibabel.nifti1 import Nifti1Header, Nifti1Pair
from nibabel.nifti2 import Nifti2Header
from nibabel.volumeutils import apply_read_scaling
from numpy.typing import NDArray

from napari_rdl.errors import CaseError

MAX_VOXELS = 2**28
"""What an image may have: 1 GiB in single precision, some thirty times a BraTS volume."""

_MAX_RATIO = 1032
"""What deflate can make of a byte at most."""
_MAX_OFFSET = 2**24
"""Bytes that may stand before the voxels: headers and their extensions."""
_MAX_REST = 2**24
"""Bytes that may stand behind the voxels."""
_PIECE = 2**22
_quiet_lock = threading.Lock()
_quiet: list[bool] = []
"""Whether nibabel's logger was silent before, and then an entry for each that keeps it so."""
_SIZES: dict[int, type[Nifti1Header]] = {348: Nifti1Header, 540: Nifti2Header}


def raw_header(path: Path) -> Nifti1Header | None:
    """Return a file's NIfTI header as it stands there, nothing mended; None where it begins with none.

    Raises
    ------
    OSError, EOFError, zlib.error
        If the file cannot be read so far.
    """
    with _stream(path) as stream:
        start = stream.read(max(_SIZES))
    for order in ("little", "big"):
        kind = _SIZES.get(int.from_bytes(start[:4], order))  # type: ignore[arg-type]
        if kind is not None and len(start) >= kind.template_dtype.itemsize:
            return kind(start[: kind.template_dtype.itemsize], check=False)
    return None


def refuse_false_claims(path: Path, header: Nifti1Header) -> None:
    """Compare what a header claims with what there is; nothing is allocated.

    Raises
    ------
    CaseError
        If the file cannot hold the voxels that it claims, or they are too many.
    """
    sizes = [max(int(size), 1) for size in header["dim"][1 : 1 + min(max(int(header["dim"][0]), 0), 7)]]
    count = 1
    for size in sizes:
        count *= size
    if count > MAX_VOXELS:
        raise CaseError(
            f"{path} claims {' x '.join(map(str, sizes))} voxels, more than {MAX_VOXELS:,}: "
            "crop it to the head or resample it first."
        )
    offset = float(header["vox_offset"])
    # Also what is no number at all.
    if not 0 <= offset <= _MAX_OFFSET:
        raise CaseError(f"{path} says that its voxels begin at byte {offset:g}: export it again.")
    voxels = path
    if not is_single(header):
        voxels = _image_of_pair(path)
        if not voxels.is_file():
            raise CaseError(f"{voxels} is missing, which belongs to {path.name}: put it beside it.")
    needed = int(offset) + count * max(int(header["bitpix"]), 8) // 8
    there = voxels.stat().st_size
    if needed > there * (_MAX_RATIO if _is_packed(voxels) else 1):
        raise CaseError(
            f"{path} is cut off or damaged: it claims {needed:,} bytes and cannot hold them; "
            "copy or export it again."
        )


def is_single(header: Nifti1Header) -> bool:
    """Tell whether header and voxels stand in one file."""
    return bytes(header["magic"]).startswith(b"n+")


def read_voxels(image: Nifti1Pair, *, stored: bool = False) -> NDArray:
    """Return an image's scaled values in its own shape, as nibabel gives them, and look at all of its file.

    Parameters
    ----------
    image : Nifti1Pair
        Whose voxels are read.
    stored : bool
        Return integers of up to 32 bits that need no scaling as they are; float32 otherwise, and by default.

    Raises
    ------
    OSError, EOFError, ValueError, zlib.error
        If the file is shorter than it claims, or its checksum or length do not fit.
    """
    proxy: Any = image.dataobj
    count = int(np.prod(proxy.shape, dtype=np.int64))
    dtype = np.dtype(proxy.dtype)
    slope, inter = (np.asanyarray(value) for value in (proxy.slope, proxy.inter))
    # Wider ones would take more memory than they do as float32.
    as_they_are = stored and dtype.kind in "iu" and dtype.itemsize <= 4 and slope == 1 and inter == 0
    values = np.empty(count, dtype if as_they_are else np.float32)
    with (
        _stream(Path(str(image.file_map["image"].filename))) as stream,
        np.errstate(over="ignore", invalid="ignore"),
    ):
        _exactly(stream, int(proxy.offset))
        for start in range(0, count, _PIECE):
            stop = min(start + _PIECE, count)
            piece = np.frombuffer(_exactly(stream, (stop - start) * dtype.itemsize), dtype)
            values[start:stop] = apply_read_scaling(piece, slope, inter)
        # To the end: that is where a compressed file's checksum and length stand.
        rest = 0
        while behind := stream.read(_PIECE):
            rest += len(behind)
            if rest > _MAX_REST:
                raise ValueError("more stands behind the voxels than before")
    return values.reshape(proxy.shape, order="F")


@contextmanager
def quiet_nibabel() -> Iterator[None]:
    """Keep nibabel's remarks about a header to itself: what matters of them is said in our sentences.

    Several threads may be in here at once; the last one to leave lets nibabel speak as before.
    """
    logger = nib.imageglobals.logger
    with _quiet_lock:
        if not _quiet:
            _quiet.append(logger.disabled)
        _quiet.append(True)
        logger.disabled = True
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet.pop()
            if len(_quiet) == 1:
                logger.disabled = _quiet.pop()


@contextmanager
def _stream(path: Path) -> Iterator[BinaryIO | io.BufferedIOBase]:
    if _is_packed(path):
        # Twice as quick as the standard library's, with the same look at checksum and length.
        with igzip.open(path, "rb") as packed:
            yield packed
    else:
        with path.open("rb") as plain:
            yield plain


def _is_packed(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _image_of_pair(path: Path) -> Path:
    """Return the file of a pair that has the voxels, its ending in the case that the header's has."""
    at = path.name.lower().rfind(".hdr")
    if at < 0:
        return path
    ending = ".IMG" if path.name[at : at + 4].isupper() else ".img"
    return path.with_name(path.name[:at] + ending + path.name[at + 4 :])


def _exactly(stream: BinaryIO | io.BufferedIOBase, count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError("the file ends before its voxels do")
    return content
