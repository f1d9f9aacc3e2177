"""Labels that did not come from this encoding: another tool's file, an expert's, another checkpoint's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_rdl.brats import LABEL_CONVENTIONS
from napari_rdl.callbacks import IsCancelled, Progress
from napari_rdl.case import Case, Native, read_mask
from napari_rdl.case.geometry import resample_array
from napari_rdl.case.label_record import record_of
from napari_rdl.compare.label_stack import LabelStack
from napari_rdl.compare.scores import Reference
from napari_rdl.errors import CaseError, Remedy

if TYPE_CHECKING:
    from napari_rdl.segment import Representations, SegmentSettings


def read_labels(
    path: str | Path, case: Case, convention: str | None = None, *, resample: bool = False
) -> NDArray[np.uint8]:
    """Read a label file onto a case's grid.

    Parameters
    ----------
    path : str or Path
        A NIfTI file on the grid of the case's images, in any axis order.
    case : Case
    convention : str, optional
        What its values mean (a name of `LABEL_CONVENTIONS`); if left out what the record beside the file
        says, else the case's own convention.
    resample : bool
        Bring labels on another grid onto the case's, by nearest neighbour.

    Returns
    -------
    ndarray of uint8
        (X, Y, Z) class indices, RAS+.

    Raises
    ------
    CaseError
        If the file cannot be read, lies on another grid, or holds a label that the convention does
        not have.
    """
    if convention is not None and convention not in LABEL_CONVENTIONS:
        raise CaseError(f"{convention!r} is no label convention: use {', '.join(LABEL_CONVENTIONS)}.")
    record = record_of(Path(path))
    known = record.convention if record is not None else case.convention
    meaning = known if convention is None else LABEL_CONVENTIONS[convention]
    classes, affine, header = read_mask(path, meaning)
    native = Native.from_header(classes.shape, affine, header)
    apart = case.grid.difference(native.grid)
    if apart is None:
        return native.from_native(classes)
    if resample:
        return resample_array(native.from_native(classes), native.grid, case.grid, order=0)
    raise CaseError(f"{path} is not on the grid of {case.name} ({apart})", Remedy.FIT_LABELS)


def expert_reference(case: Case) -> Reference:
    """Return a case's expert mask as a reference.

    Raises
    ------
    CaseError
        If there is none, or it cannot be used.
    """
    truth = case.truth()
    if truth is None:
        raise CaseError(f"{case.name} has no mask to compare with (such as {case.name}_seg.nii.gz).")
    return Reference(truth, case.grid, "expert mask")


def labels_of_checkpoint(
    case: Case,
    checkpoint: str | Path,
    subset: Iterable[str] | None = None,
    *,
    settings: SegmentSettings | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> NDArray[np.uint8]:
    """Return what another checkpoint makes of a case (X, Y, Z), encoding only what `subset` names.

    Raises
    ------
    NapariRdlError
        If the checkpoint cannot be read, or does not know the modalities.
    Cancelled
        If `cancelled` answered True.
    """
    return _encoded(case, checkpoint, subset, settings, progress, cancelled).labels()


def stack_of_checkpoint(
    case: Case,
    checkpoint: str | Path,
    subset: Iterable[str] | None = None,
    *,
    settings: SegmentSettings | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> tuple[str, LabelStack]:
    """Return the name of another checkpoint, of any method, and its labels of all parts of `subset`.

    Parameters
    ----------
    case : Case
    checkpoint : str or Path
        The name of bundled weights, or a file.
    subset : iterable of str, optional
        All that the case has and the model knows if left out.
    settings : SegmentSettings, optional
    progress, cancelled : callable, optional

    Raises
    ------
    NapariRdlError
        If the checkpoint cannot be read, does not know the modalities, or says other labels.
    Cancelled
        If `cancelled` answered True.
    """
    found = _encoded(case, checkpoint, subset, settings, progress, cancelled)
    return found.computation.model_name, LabelStack.collect(found, progress, cancelled)


def _encoded(
    case: Case,
    checkpoint: str | Path,
    subset: Iterable[str] | None,
    settings: SegmentSettings | None,
    progress: Progress | None,
    cancelled: IsCancelled | None,
) -> Representations:
    from napari_rdl.models import load_model
    from napari_rdl.segment import encode

    return encode(
        case,
        load_model(checkpoint),
        modalities=subset,
        settings=settings,
        progress=progress,
        cancelled=cancelled,
    )
