"""napari's reader: a patient's folder, or NIfTI files one by one.

Nothing is opened to decide whether a path is ours: napari asks every reader about every folder.
What cannot be read is said in one sentence, and no layer is made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
import numpy as np
from napari.utils.notifications import show_warning

from napari_rdl.errors import CaseError
from napari_rdl.plugin.parts.remedies import in_words
from napari_rdl.plugin.viewer.appearance import class_colormap, placement
from napari_rdl.plugin.viewer.patient_layers import (
    LayerData,
    contrast_limits,
    expert_layer_data,
    image_layer_data,
)
from napari_rdl.plugin.viewer.planes import show_new_patient
from napari_rdl.plugin.viewer.roles import LAYER_KEY, Role

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_rdl.case import Native

PathOrPaths = str | Path | Sequence[str | Path]
_NOTHING: list[Any] = [(None,)]
"""What napari takes for "read, and there is no layer to show"."""
_ENDINGS = (".nii", ".nii.gz")
_MAX_LABELS = 50


def get_reader(path: PathOrPaths) -> Callable[[PathOrPaths], list[LayerData]] | None:
    """Return `read_paths` for NIfTI files and patients' folders, and None at once for all else."""
    paths = _as_list(path)
    return read_paths if paths and all(_is_ours(path) for path in paths) else None


def read_paths(path: PathOrPaths) -> list[LayerData]:
    """Read folders and files into layers; each that cannot be read is a warning."""
    layers: list[LayerData] = []
    for source in _as_list(path):
        try:
            layers += read_patient(source) if source.is_dir() else read_file(source)
        except CaseError as error:
            show_warning(in_words(error))
    if layers:
        turn_to_new_patient()
    return layers or _NOTHING


def turn_to_new_patient() -> None:
    """Let the viewer, where there is one, show the layers about to be returned to it the right way round."""
    viewer = napari.current_viewer()
    if viewer is not None:
        show_new_patient(viewer)


def read_patient(folder: Path) -> list[LayerData]:
    """Read a patient's folder: its images, and the expert's mask, hidden, where there is one.

    Raises
    ------
    CaseError
        If the folder is no patient's, or its images cannot be used together.
    """
    from napari_rdl.case import load_case

    case = load_case(folder)
    if case.notes:
        show_warning("\n".join(case.notes))
    layers = image_layer_data(case)
    try:
        layers += expert_layer_data(case)
    except CaseError as error:
        show_warning(in_words(error))
    return layers


def read_file(path: Path) -> list[LayerData]:
    """Read one NIfTI file: a mask, by its name or its few whole values, as labels, all else as an image.

    Raises
    ------
    CaseError
        If it is no 3D volume of real numbers.
    """
    from napari_rdl.case import Native, read_image
    from napari_rdl.case.naming import is_mask_name, modality_of_file
    from napari_rdl.case.nifti import stem_of

    image, affine, header, notes = read_image(path)
    if notes:
        show_warning("\n".join(notes))
    native = Native.from_header(image.shape, affine, header)
    ras = native.from_native(image)
    stored = native.header.get_data_dtype()
    whole = is_mask_name(path) or np.issubdtype(stored, np.integer)
    if whole and (labels := few_labels(ras)) is not None:
        return [_mask_layer_data(path, stem_of(path), labels, native)]
    known = {"role": Role.IMAGE, "case": stem_of(path), "modality": modality_of_file(path)}
    settings = {
        "name": stem_of(path),
        "colormap": "gray",
        "blending": "translucent_no_depth",
        "contrast_limits": contrast_limits(ras),
        "metadata": {LAYER_KEY: known},
        **placement(native.grid),
    }
    return [(ras, settings, "image")]


def few_labels(values: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """Return `values` as labels if they are at most fifty different whole numbers from 0 to 255."""
    if values.min() < 0 or values.max() > 255:
        return None
    labels = values.astype(np.uint8)
    if not np.array_equal(labels, values):
        return None
    return labels if np.count_nonzero(np.bincount(labels.ravel())) <= _MAX_LABELS else None


def _mask_layer_data(path: Path, name: str, labels: NDArray[np.uint8], native: Native) -> LayerData:
    settings: dict[str, Any] = {
        "name": name,
        "opacity": 0.5,
        # The values stay the file's own, and go back as they are.
        "metadata": {LAYER_KEY: {"role": Role.MASK, "case": name, "native": native}},
        **placement(native.grid),
    }
    meaning = _meaning(path, name)
    if meaning is not None and set(np.unique(labels).tolist()) <= set(meaning):
        settings["colormap"] = class_colormap(meaning)
    return labels, settings, "labels"


def _meaning(path: Path, name: str) -> dict[int, int] | None:
    """Return what a mask's values mean, if it lies among the images of the patient that it names."""
    from napari_rdl.case import find_case_files

    try:
        found = find_case_files(path.parent)
    except CaseError:
        return None
    if found.convention is None or not (path == found.mask or name.startswith(found.name)):
        return None
    return dict(found.convention.to_class)


def _is_ours(path: Path) -> bool:
    if path.is_dir():
        from napari_rdl.case import is_patient_folder

        return is_patient_folder(path)
    return path.name.lower().endswith(_ENDINGS)


def _as_list(path: PathOrPaths) -> list[Path]:
    return [Path(path)] if isinstance(path, str | Path) else [Path(one) for one in path]
