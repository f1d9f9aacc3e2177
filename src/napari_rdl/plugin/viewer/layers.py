"""A case as napari layers, and the layer that a human corrects.

All layers share one world: axes (x, y, z) in RAS+ order, millimetres, a positive scale and a
translation. What rotation an oblique scan has stays in the case and is used when labels are saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import DirectLabelColormap

from napari_rdl import brats
from napari_rdl.errors import CaseError, OutputError

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_rdl.case import Case, Grid

LAYER_KEY = "napari_rdl"
"""Key in ``layer.metadata`` under which this plugin keeps what it knows of its own layers: ``role``,
``case`` (its name), ``source`` (the `Case`) and, for images, ``modality``."""

AXIS_LABELS = ("x", "y", "z")
"""World axes: x towards the patient's right, y towards anterior, z towards superior."""

LayerData = tuple[Any, dict[str, Any], str]


def scale_translate(grid: Grid) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return napari's ``scale`` and ``translate`` in mm for a RAS+ grid, each as (x, y, z)."""
    return tuple(map(float, grid.spacing)), tuple(float(value) for value in grid.affine[:3, 3])


def placement(grid: Grid) -> dict[str, Any]:
    """Return the keyword arguments that put a layer with this grid into the world."""
    scale, translate = scale_translate(grid)
    return {
        "scale": scale,
        "translate": translate,
        "units": ("mm", "mm", "mm"),
        "axis_labels": AXIS_LABELS,
    }


def plugin_metadata(layer: Layer) -> Mapping[str, Any]:
    """Return what the plugin knows of `layer`: empty for a layer that is not its own."""
    known = layer.metadata.get(LAYER_KEY)
    return known if isinstance(known, Mapping) else {}


def case_of(layer: Layer) -> Case | None:
    """Return the `Case` that `layer` was made from, or None for anyone else's layer."""
    return plugin_metadata(layer).get("source")


def image_layer_data(case: Case) -> list[LayerData]:
    """Return one image layer per modality of `case`, in the fixed order.

    Contrast limits are the 0.5th and 99.5th percentile of the brain, so that neither background
    nor a few bright vessels decide what is seen. Only the top one is visible: the others lie hidden
    beneath it, and drawing them would slow every slice.
    """
    top = case.modalities[-1]
    return [
        (
            image,
            {
                "name": f"{case.name} {modality}",
                "colormap": "gray",
                "blending": "translucent_no_depth",
                "visible": modality == top,
                "contrast_limits": contrast_limits(image),
                "metadata": {
                    LAYER_KEY: {"role": "image", "case": case.name, "modality": modality, "source": case}
                },
                **placement(case.grid),
            },
            "image",
        )
        for modality, image in case.images.items()
    ]


def expert_layer_data(case: Case) -> list[LayerData]:
    """Return the expert's mask of `case` as a hidden label layer, or nothing where there is none.

    Raises
    ------
    CaseError
        If there is a mask that cannot be used.
    """
    classes = case.truth()
    if classes is None:
        return []
    metadata = {LAYER_KEY: {"role": "expert", "case": case.name, "source": case}}
    return [
        (
            classes,
            {
                "name": f"{case.name} expert mask",
                "visible": False,
                "metadata": metadata,
                **class_appearance(),
                **placement(case.grid),
            },
            "labels",
        )
    ]


def add_case(viewer: Viewer, case: Case) -> dict[str, Image]:
    """Add the images of `case` to `viewer` and return them by modality. Main thread only."""
    layers = {}
    for image, settings, _ in image_layer_data(case):
        modality = settings["metadata"][LAYER_KEY]["modality"]
        layers[modality] = viewer.add_image(image, **settings)
    return layers


def world_affine(layer: Layer) -> NDArray[np.float64]:
    """Return the affine, (4, 4), from a three-dimensional layer's voxels to its world in mm.

    A layer whose axes have no unit of length is taken to be in mm.
    """
    affine = np.eye(4)
    origin = np.asarray(layer.data_to_world((0, 0, 0)))
    for axis in range(3):
        affine[:3, axis] = np.asarray(layer.data_to_world(np.eye(3)[axis])) - origin
    affine[:3, 3] = origin
    affine[:3] *= np.array([_millimetres(unit) for unit in layer.units])[:, None]
    return affine


def find_images(viewer: Viewer) -> list[Image]:
    """Return the layers that can be a modality: three-dimensional grey images, bottom first."""
    return [
        layer
        for layer in viewer.layers
        if isinstance(layer, Image) and layer.ndim == 3 and not layer.rgb and not layer.multiscale
    ]


def guess_modality(layer: Layer) -> str | None:
    """Return the modality that a layer's metadata, name or file spells, or None."""
    from napari_rdl.case.naming import modality_of_name
    from napari_rdl.case.nifti import stem_of

    known = plugin_metadata(layer).get("modality")
    if known:
        return known
    path = layer.source.path
    return modality_of_name(layer.name) or (modality_of_name(stem_of(Path(path))) if path else None)


def class_colormap(values: Mapping[int, int] | None = None) -> DirectLabelColormap:
    """Return the colours of NCR, ED and ET.

    Parameters
    ----------
    values : Mapping[int, int], optional
        Layer value -> class index; the class indices themselves by default.
    """
    values = {index: index for index in brats.CLASS_COLOURS} if values is None else values
    colours: dict[int | None, str] = {
        value: brats.CLASS_COLOURS[index] for value, index in values.items() if index in brats.CLASS_COLOURS
    }
    return DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", **colours})


def class_appearance() -> dict[str, Any]:
    """Return colours and class names, as keyword arguments of a label layer of class indices."""
    titles = [brats.CLASS_TITLES.get(name, name) for name in brats.CLASSES]
    return {
        "colormap": class_colormap(),
        "features": {"index": list(range(len(titles))), "class": titles},
        "opacity": 0.5,
    }


def correct_a_copy(viewer: Viewer, prediction: Labels) -> Labels:
    """Add an editable copy of the prediction shown; no switch and no run ever writes to it."""
    known = plugin_metadata(prediction)
    layer = viewer.add_labels(
        np.array(prediction.data),
        name=f"{known['case']} corrected",
        metadata={LAYER_KEY: {"role": "corrected", "case": known["case"], "source": known["source"]}},
        **class_appearance(),
        **placement(known["source"].grid),
    )
    viewer.layers.selection.active = layer
    return layer


def corrected_name(layer: Labels) -> str:
    """Return the file name that a corrected layer is saved under by default."""
    return f"{plugin_metadata(layer).get('case', layer.name)}_seg_corrected.nii.gz"


def save_corrected(layer: Labels, path: str | Path) -> Path:
    """Write a layer of class indices to its case's native grid, in the case's label convention.

    An existing file is replaced: the caller asks first.

    Raises
    ------
    OutputError
        If the layer holds values that are no class, or the file cannot be written.
    CaseError
        If the layer does not come from a case.
    """
    from napari_rdl.case import save_labels

    case = case_of(layer)
    if case is None:
        raise CaseError(f"The layer '{layer.name}' does not come from a patient: save it with napari's Save.")
    return save_labels(checked_classes(layer.data, layer.name), case, Path(path))


def checked_classes(data: NDArray[np.generic], name: str) -> NDArray[np.uint8]:
    """Return `data` as uint8 class indices.

    Raises
    ------
    OutputError
        If it holds a value that is no class.
    """
    data = np.asarray(data)
    strangers = [int(value) for value in np.unique(data) if not 0 <= value < len(brats.CLASSES)]
    if strangers:
        raise OutputError(
            f"The layer '{name}' holds the label {', '.join(map(str, strangers[:5]))}, which is no class: "
            "use 1 (NCR), 2 (ED), 3 (ET) and 0 for background."
        )
    return data.astype(np.uint8, copy=False)


def contrast_limits(image: NDArray[np.float32]) -> tuple[float, float]:
    """Return the 0.5th and 99.5th percentile of an image's brain."""
    from napari_rdl.case import brain_mask

    brain = image[brain_mask(image)]
    if brain.size == 0:
        brain = image.ravel()
    # A hundred thousand voxels fix a percentile well enough; a million cost a visible moment.
    low, high = np.percentile(brain[:: max(1, brain.size // 100_000)], (0.5, 99.5))
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)


def _millimetres(unit: Any) -> float:
    return float((1 * unit).m_as("mm")) if unit.is_compatible_with("mm") else 1.0
