"""Where a patient comes from: a folder, dropped files, or layers that are already open. No Qt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_rdl import brats
from napari_rdl.errors import CaseError
from napari_rdl.files import is_file, is_folder
from napari_rdl.plugin.viewer.appearance import world_affine
from napari_rdl.plugin.viewer.roles import case_of, plugin_metadata

if TYPE_CHECKING:
    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_rdl.case import Case, Finding
    from napari_rdl.case.guessing import Unexplained


@dataclass(frozen=True)
class OpenedCase:
    """A case that was opened, and what the checks said of it once they have.

    Attributes
    ----------
    case : Case
    findings : tuple of Finding
        What looks wrong, and what was mended on reading; `checked` finds it.
    add_images : bool
        Whether its images are to be added to the viewer; False where they are already there.
    unexplained : tuple of Unexplained
        Images of its folder that no name explains, each with a guess.
    """

    case: Case
    findings: tuple[Finding, ...] = ()
    add_images: bool = True
    unexplained: tuple[Unexplained, ...] = ()


@dataclass(frozen=True)
class LayerImage:
    """What is taken from an image layer, on the GUI's thread, for a worker to read.

    Attributes
    ----------
    data : array-like
        (X, Y, Z) voxel values.
    affine : NDArray
        (4, 4), voxel to world in mm.
    path : Path or None
        The NIfTI file that it came from.
    placed : bool
        Whether the layer lies in this plugin's world (RAS+, mm).
    """

    name: str
    data: NDArray
    affine: NDArray[np.float64]
    path: Path | None
    placed: bool


def patients_below(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return the patients' folders that paths hold, where they are not one patient's themselves.

    Raises
    ------
    CaseError
        If a folder cannot be read.
    """
    from napari_rdl.case import find_patients, is_patient_folder

    if not all(is_folder(path) for path in paths):
        return ()
    found: dict[Path, None] = {}
    for path in paths:
        found.update(dict.fromkeys([path] if is_patient_folder(path) else find_patients(path)))
    return () if list(found) == list(paths) and len(paths) == 1 else tuple(found)


def read_paths(paths: Sequence[Path], *, resample: bool = False) -> OpenedCase:
    """Read a patient from one folder, or from NIfTI files named by modality.

    Raises
    ------
    GridsDifferError
        If the modalities lie on different grids and `resample` is off.
    CaseError
        If the paths are no patient, or not one.
    """
    from napari_rdl.case import load_case

    if len(paths) == 1 and not is_file(paths[0]):
        return OpenedCase(load_case(paths[0], resample=resample))
    files = _by_modality(paths)
    return OpenedCase(load_case(files, resample=resample))


def read_with(case: Case, more: Mapping[str, Path], *, resample: bool = False) -> OpenedCase:
    """Read a patient again, with further files whose modality the user confirmed.

    Raises
    ------
    CaseError
        If they cannot be used together.
    """
    from napari_rdl.case import load_case

    files: dict[str, str | Path] = {**case.files, **more}
    if case.mask_file is not None:
        files["seg"] = case.mask_file
    labels = case.convention.name if case.convention_known else None
    again = load_case(files, name=case.name, labels=labels, resample=resample)
    left = tuple(path for path in case.unexplained if path not in more.values())
    return OpenedCase(replace(again, unexplained=left))


def read_layers(
    assigned: Mapping[str, LayerImage], *, shared_case: Case | None = None, resample: bool = False
) -> OpenedCase:
    """Make a patient of layers that a user assigned to modalities.

    Layers with files are read from them, so that results go back to the files' grid. As soon as one
    has no file, all are taken as they stand in the viewer, on their own grid.

    Parameters
    ----------
    assigned : Mapping[str, LayerImage]
        Modality -> layer.
    shared_case : Case, optional
        The case that all of the layers, each in its own modality, were made from.

    Raises
    ------
    GridsDifferError
        If the layers' files lie on different grids and `resample` is off.
    CaseError
        If nothing is assigned, one layer is assigned twice, or layers without a file differ in grid.
    """
    from napari_rdl.case import case_from_arrays, load_case

    if not assigned:
        raise CaseError("No layer is assigned to a modality: choose at least one.")
    names = [image.name for image in assigned.values()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CaseError(f"The layer '{twice[0]}' stands for two modalities: assign each layer once.")
    ordered = {name: assigned[name] for name in brats.order_modalities(assigned)}
    placed = all(image.placed for image in ordered.values())
    if shared_case is not None:
        case = replace(
            shared_case,
            images={name: shared_case.images[name] for name in ordered},
            files={name: shared_case.files[name] for name in ordered if name in shared_case.files},
        )
        return OpenedCase(case, add_images=False)
    files = {name: image.path for name, image in ordered.items() if image.path is not None}
    if len(files) == len(ordered):
        return OpenedCase(load_case(files, resample=resample), add_images=resample or not placed)
    _require_one_grid(ordered)
    first = next(iter(ordered.values()))
    case = case_from_arrays(
        {name: np.asarray(image.data) for name, image in ordered.items()},
        first.affine,
        name=_common_name(names),
        files=files,
    )
    without = [name for name in ordered if name not in files]
    note = f"{', '.join(without)} came from layers without a file: results are saved on the layers' own grid."
    return OpenedCase(replace(case, notes=(*case.notes, note)), add_images=False)


def layer_image(layer: Image) -> LayerImage:
    """Take what `read_layers` needs from a layer; call it on the GUI's thread."""
    from napari_rdl.case.nifti import is_nifti_name

    case = case_of(layer)
    if case is not None:
        path = case.files.get(plugin_metadata(layer).get("modality", ""))
    else:
        source = layer.source.path
        path = Path(source) if source and is_nifti_name(Path(source).name) else None
    return LayerImage(layer.name, layer.data, world_affine(layer), path, placed=bool(plugin_metadata(layer)))


def shared_case_of(assigned: Mapping[str, Image]) -> Case | None:
    """Return the one case whose layers stand, each for its own modality, in `assigned`."""
    cases = [case_of(layer) for layer in assigned.values()]
    own = all(plugin_metadata(layer).get("modality") == name for name, layer in assigned.items())
    return cases[0] if own and cases and all(case is cases[0] for case in cases) else None


def checked(patient: OpenedCase) -> OpenedCase:
    """Return a patient with what looks wrong, and a guess for each image that no name explains."""
    from napari_rdl.case import check_case
    from napari_rdl.case.guessing import guess_unexplained

    case = patient.case
    return replace(patient, findings=tuple(check_case(case)), unexplained=guess_unexplained(case))


def _by_modality(paths: Sequence[Path]) -> dict[str, Path]:
    from napari_rdl.case.naming import is_mask_name, modality_of_file
    from napari_rdl.case.nifti import is_nifti_name

    found: dict[str, Path] = {}
    for path in paths:
        if is_folder(path):
            raise CaseError(f"{path.name} is a folder among files: give one folder, or files of one patient.")
        if not is_nifti_name(path.name):
            raise CaseError(f"{path.name} is no NIfTI file: give files that end in .nii or .nii.gz.")
        if is_mask_name(path):
            continue
        modality = modality_of_file(path)
        if modality is None:
            raise CaseError(
                f"The name {path.name} does not say which modality it is: open it in napari and assign its "
                "layer under 'Use open layers'."
            )
        if modality in found:
            raise CaseError(
                f"{found[modality].name} and {path.name} both look like {modality}: "
                "give one file per modality."
            )
        found[modality] = path
    if not found:
        raise CaseError("There is no image among the files: give T1, T1c, T2 or FLAIR.")
    return found


def _require_one_grid(images: Mapping[str, LayerImage]) -> None:
    items = list(images.items())
    name, first = items[0]
    for other, image in items[1:]:
        if tuple(image.data.shape) != tuple(first.data.shape):
            raise CaseError(
                f"The layers of {name} and {other} differ in shape ({_by(first.data.shape)} and "
                f"{_by(image.data.shape)}): layers without a file must share one grid."
            )
        if not np.allclose(image.affine, first.affine, atol=1e-3):
            raise CaseError(
                f"The layers of {name} and {other} differ in scale or place: "
                "layers without a file must share one grid."
            )


def _by(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def _common_name(names: Sequence[str]) -> str:
    """Return what the layers' names have in common, fit for a file's name."""
    words = [[word for word in re.split(r"[^A-Za-z0-9]+", name) if word] for name in names]
    common = []
    for same in zip(*words, strict=False):
        if len(set(same)) > 1 or brats.modality_of_token(same[0]):
            break
        common.append(same[0])
    return "_".join(common) or "layers"
