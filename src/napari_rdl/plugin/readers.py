"""napari's reader: a patient's folder, or NIfTI files one by one.

Nothing is opened to decide whether a path is ours: napari asks every reader about every folder.
What cannot be read is said in one sentence, and no layer is made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
import numpy as np
from napari.utils.notifications import show_warning

from napari_rdl.errors import CaseError
from napari_rdl.files import is_folder, plain_name
from napari_rdl.plugin.parts.remedies import in_words
from napari_rdl.plugin.viewer.appearance import class_appearance, placement, value_appearance
from napari_rdl.plugin.viewer.corrected import CORRECTED_ENDING
from napari_rdl.plugin.viewer.patient_layers import (
    LayerData,
    contrast_limits,
    expert_layer_data,
    image_layer_data,
)
from napari_rdl.plugin.viewer.planes import show_new_patient
from napari_rdl.plugin.viewer.roles import LAYER_KEY, Role, case_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_rdl.brats import LabelConvention
    from napari_rdl.case import Case, Native

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
            layers += read_patient(source) if is_folder(source) else read_file(source)
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


@dataclass(frozen=True)
class _Meaning:
    """What a label file is: whose, what its values mean, whether a human corrected it, and who says so."""

    case: str
    convention: LabelConvention
    corrected: bool
    sure: bool


def _mask_layer_data(path: Path, name: str, labels: NDArray[np.uint8], native: Native) -> LayerData:
    known: dict[str, Any] = {"role": Role.MASK, "case": name, "native": native, "path": path}
    settings: dict[str, Any] = {"name": name, "opacity": 0.5, **placement(native.grid)}
    meaning = _meaning(path, name)
    if meaning is not None:
        labels = _as_what_it_means(path, labels, meaning, known, settings)
    settings["metadata"] = {LAYER_KEY: known}
    return labels, settings, "labels"


def _as_what_it_means(
    path: Path,
    values: NDArray[np.uint8],
    meaning: _Meaning,
    known: dict[str, Any],
    settings: dict[str, Any],
) -> NDArray[np.uint8]:
    """Return a file's values as class indices where they come back the same; tell the layer what they are.

    Raises
    ------
    CaseError
        If a value is not of the file's convention.
    """
    convention = meaning.convention
    try:
        classes = convention.decode(values)
    except ValueError as error:
        if meaning.sure:
            raise CaseError(f"{path} cannot be opened as labels of {meaning.case}: {error}.") from error
        return values
    known |= {"case": meaning.case, "convention": convention.name}
    if meaning.corrected or np.array_equal(convention.encode(classes), values):
        known |= {"classes": True, "corrected": meaning.corrected}
        settings |= class_appearance()
        return classes
    # Two values mean one class, or one means none that is ours: they stay as they are, and go back so.
    settings |= value_appearance(convention.to_class)
    return values


def _meaning(path: Path, name: str) -> _Meaning | None:
    """Return what a label file's record says it is, else the naming of the patient that it lies beside."""
    from napari_rdl.case import find_case_files
    from napari_rdl.case.label_record import record_of

    record = record_of(path)
    if record is not None:
        return _Meaning(record.case, record.convention, record.corrected, sure=True)
    corrected = name.endswith(CORRECTED_ENDING)
    try:
        found = find_case_files(path.parent)
    except CaseError:
        found = None
    if found is not None and (path == found.mask or name.startswith(found.name)):
        sure = corrected or path == found.mask
        return _Meaning(found.name, found.convention, corrected, sure) if found.convention else None
    whose = name.removesuffix(CORRECTED_ENDING)
    for case in _open_cases() if corrected else ():
        if plain_name(case.name) == whose:
            return _Meaning(case.name, case.convention, corrected, sure=True)
    return None


def _open_cases() -> list[Case]:
    """Return the patients whose layers are in the viewer, if there is one."""
    viewer = napari.current_viewer()
    cases = [case_of(layer) for layer in viewer.layers] if viewer is not None else []
    return [case for case in cases if case is not None]


def _is_ours(path: Path) -> bool:
    if is_folder(path):
        from napari_rdl.case import is_patient_folder

        return is_patient_folder(path)
    return path.name.lower().endswith(_ENDINGS)


def _as_list(path: PathOrPaths) -> list[Path]:
    return [Path(path)] if isinstance(path, str | Path) else [Path(one) for one in path]
