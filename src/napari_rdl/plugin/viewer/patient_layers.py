"""A patient as napari layers: its images, and the expert's mask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Layer

from napari_rdl.plugin.viewer.appearance import class_appearance, placement
from napari_rdl.plugin.viewer.layer_list import one_scene, selection_kept
from napari_rdl.plugin.viewer.roles import LAYER_KEY, Role, plugin_metadata, role_metadata

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_rdl.case import Case

_MANY = 1_000_000
"""Voxels beyond which contrast is taken from every eighth."""

LayerData = tuple[Any, dict[str, Any], str]


def image_layer_data(case: Case, modalities: Sequence[str] | None = None) -> list[LayerData]:
    """Return one image layer per modality of `case`, or for some of them, in the fixed order.

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
                "metadata": role_metadata(Role.IMAGE, case, modality=modality),
                **placement(case.grid),
            },
            "image",
        )
        for modality, image in case.images.items()
        if modalities is None or modality in modalities
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
    return [
        (
            classes,
            {
                "name": f"{case.name} expert mask",
                "visible": False,
                "metadata": role_metadata(Role.EXPERT, case),
                **class_appearance(),
                **placement(case.grid),
            },
            "labels",
        )
    ]


def add_case(viewer: Viewer, case: Case) -> dict[str, Image]:
    """Add the images of `case` to `viewer` and return them by modality. Main thread only."""
    added = add_images(viewer, case, case.modalities[-1:])
    return add_images(viewer, case, case.modalities[:-1], beneath=added[case.modalities[-1]]) | added


def add_images(
    viewer: Viewer, case: Case, modalities: Sequence[str], *, beneath: Image | None = None
) -> dict[str, Image]:
    """Add some images of `case`, in order, and return them by modality.

    Parameters
    ----------
    beneath : Image, optional
        A layer under which they are put, the selection as it is; by default they come on top.
    """
    layers = {
        settings["metadata"][LAYER_KEY]["modality"]: Image(image, **settings)
        for image, settings, _ in image_layer_data(case, modalities)
    }
    if beneath is None:
        for layer in layers.values():
            viewer.add_layer(layer)
        return layers
    with one_scene(viewer), selection_kept(viewer):
        for layer in layers.values():
            viewer.layers.insert(viewer.layers.index(beneath), layer)
    return layers


def replace_images(viewer: Viewer, layers: Sequence[Image], case: Case) -> bool:
    """Show a patient in the layers of another one's same modalities: a fraction of the time of new ones.

    What a user made of their looks stays, but for the contrast and which of them is seen.

    Parameters
    ----------
    layers : sequence of Image
        As `add_images` made them, bottom first.

    Returns
    -------
    bool
        False, and nothing was done, where they are not all there, are of other modalities, or are shown in
        another viewer as well.
    """
    here = [layer for layer in viewer.layers if layer in layers]
    known = [plugin_metadata(layer) for layer in here]
    if here != list(layers) or tuple(one.get("modality") for one in known) != case.modalities:
        return False
    if any(one.get("mirrors") for one in known):
        return False
    for layer, (image, settings, _) in zip(layers, image_layer_data(case), strict=True):
        layer.visible = False
        layer.data = image
        layer.contrast_limits_range = settings["contrast_limits"]
        for name in ("name", "metadata", "scale", "translate", "contrast_limits", "visible"):
            setattr(layer, name, settings[name])
        if not layer.visible:
            # napari draws none of what is hidden: the other patient's would stay.
            layer.thumbnail = np.zeros((0, 0))
    # As napari does for the first layer of an empty viewer.
    axes = range(viewer.dims.ndim - 3, viewer.dims.ndim)
    viewer.dims.set_current_step(axes, [(viewer.dims.nsteps[axis] - 1) // 2 for axis in axes])
    return True


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


def contrast_limits(image: NDArray[np.float32]) -> tuple[float, float]:
    """Return the 0.5th and 99.5th percentile of an image's brain."""
    from napari_rdl.case import brain_mask

    # A hundred thousand voxels fix a percentile well enough; millions cost a visible moment.
    step = 2 if image.size > _MANY else 1
    coarse = np.ascontiguousarray(image[::step, ::step, ::step])
    brain = coarse[brain_mask(coarse)]
    if brain.size == 0:
        brain = coarse.ravel()
    low, high = np.percentile(brain[:: max(1, brain.size // 100_000)], (0.5, 99.5))
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)
