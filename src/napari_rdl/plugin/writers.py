"""napari's writer: label layers as NIfTI, on the grid that they belong to."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
from napari.layers import Labels
from napari.utils.notifications import show_info, show_warning

from napari_rdl.brats import LABEL_CONVENTIONS
from napari_rdl.errors import NapariRdlError, OutputError
from napari_rdl.files import write_bytes
from napari_rdl.plugin.parts.remedies import in_words
from napari_rdl.plugin.viewer.appearance import world_affine
from napari_rdl.plugin.viewer.corrected import checked_classes
from napari_rdl.plugin.viewer.roles import LAYER_KEY, Role, Saving, role_in

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one label layer to a NIfTI file and return the files written.

    Each of this plugin's layers is saved as its role says: classes go to the patient's native grid in its
    label convention, a mask that was read from a file goes back to that file's grid with its values as they
    are. Anyone else's layer goes to its own grid as it lies in the world, and a message says so. What cannot
    be written is a warning, and no file.
    """
    try:
        return [str(save_label_layer(Path(path), np.asarray(data), attributes))]
    except NapariRdlError as error:
        show_warning(in_words(error))
        return []


def save_label_layer(path: Path, data: NDArray[np.integer], attributes: dict[str, Any]) -> Path:
    """Write a label layer's data where its metadata says that it belongs.

    Parameters
    ----------
    data : NDArray of integer
        (X, Y, Z) values.
    attributes : dict
        The layer's state, as napari hands it to writers.

    Raises
    ------
    OutputError
        If the layer is no volume, its values do not fit, or the file cannot be written.
    """
    from napari_rdl.case import save_correction, save_labels

    name = attributes.get("name", path.name)
    known = attributes.get("metadata", {}).get(LAYER_KEY, {})
    role = role_in(known)
    if role is not None and role.saving is Saving.NOT:
        raise OutputError(f"The layer '{name}' only shows another one: save that one itself.")
    if role is not None and role.saving is Saving.CLASSES:
        save = save_correction if role is Role.CORRECTED else save_labels
        return save(checked_classes(data, name), known["source"], path)
    if data.ndim != 3:
        raise OutputError(f"The layer '{name}' has {data.ndim} axes: NIfTI labels need three.")
    if role is not None:
        if role.saving is Saving.FILE_VALUES:
            native, data = known["native"], _file_values(data, known, name)
        else:
            native = known["source"].native
        return _save_values(path, native.to_native(data), native.affine, name)
    saved = _save_values(path, data, _affine(data, attributes), name)
    show_info(
        f"'{name}' belongs to no patient: {path.name} is on the layer's own grid, its axes read as x, y, z."
    )
    return saved


def _file_values(data: NDArray[np.integer], known: Mapping[str, Any], name: str) -> NDArray[np.integer]:
    """Return what a mask's file is to hold; what is painted beyond its convention is refused."""
    convention = LABEL_CONVENTIONS.get(known.get("convention", ""))
    if convention is None:
        return data
    if known.get("classes"):
        return convention.encode(checked_classes(data, name))
    try:
        convention.decode(data)
    except ValueError as error:
        raise OutputError(f"The layer '{name}' cannot be saved: {error}.") from error
    return data


def _affine(data: NDArray[np.integer], attributes: dict[str, Any]) -> NDArray[np.float64]:
    placed = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
    # A layer of the same place and next to no data: only layers know how these combine.
    stand_in = Labels(
        np.zeros((1, 1, 1), np.uint8), **{key: attributes[key] for key in placed if key in attributes}
    )
    return world_affine(stand_in)


def _save_values(path: Path, values: NDArray[np.integer], affine: NDArray[np.float64], name: str) -> Path:
    low, high = int(values.min()), int(values.max())
    dtype = next((kind for kind in (np.uint8, np.int16, np.int32) if _fits(kind, low, high)), None)
    if dtype is None:
        raise OutputError(f"The layer '{name}' holds the label {high}, which is too large for a NIfTI file.")
    image = nib.Nifti1Image(values.astype(dtype), affine)
    image.header.set_xyzt_units("mm")
    content = image.to_bytes()
    if path.name.lower().endswith(".gz"):
        content = gzip.compress(content, mtime=0)  # no time in the file: same labels, same bytes
    return write_bytes(path, content)


def _fits(dtype: type[np.integer], low: int, high: int) -> bool:
    limits = np.iinfo(dtype)
    return limits.min <= low and high <= limits.max
