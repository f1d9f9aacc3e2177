"""A synthetic patient from a seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_rdl.boxes import bounding_box
from napari_rdl.brats import CLASSES, MODALITIES
from napari_rdl.phantom.anatomy import make_head
from napari_rdl.phantom.contrast import Painter
from napari_rdl.phantom.distractors import make_distractors
from napari_rdl.phantom.fields import random_stream
from napari_rdl.phantom.planning import plan_tumour
from napari_rdl.phantom.scanner import acquire
from napari_rdl.phantom.settings import PhantomSettings
from napari_rdl.phantom.template import load_template
from napari_rdl.phantom.tumour import grow_tumour
from napari_rdl.phantom.warp import Warp

BRATS_SHAPE = (240, 240, 155)
"""Voxels of a BraTS image at 1 mm."""

_MARGIN = 2


@dataclass(frozen=True)
class Phantom:
    """A synthetic patient, cropped to the brain's bounding box and a margin.

    Attributes
    ----------
    name : str
        Such as ``Phantom_00042``.
    seed : int
        What the patient was made from.
    spacing : float
        Isotropic voxel size in mm.
    images : dict of str to NDArray of int16
        Modality -> (X, Y, Z) in RAS+ order, 0 outside the brain mask.
    classes : NDArray of uint8
        Class indices (X, Y, Z): 0 background, 1 NCR/NET, 2 ED, 3 ET.
    affine : NDArray
        (4, 4), voxel indices -> RAS mm, inside the world of a BraTS image.
    record : dict
        Everything that was drawn, the tumour's ``type`` and ``volumes_ml`` among it; JSON types only.
    """

    name: str
    seed: int
    spacing: float
    images: dict[str, NDArray[np.int16]]
    classes: NDArray[np.uint8]
    affine: NDArray[np.float64]
    record: dict[str, Any] = field(default_factory=dict)


def make_phantom(
    seed: int, *, spacing: float = 1.0, settings: PhantomSettings | None = None, tumour: str | None = None
) -> Phantom:
    """Make a patient; the same arguments give the same patient to the bit.

    Each stage has a random stream of its own, so that a change in one leaves the others as they
    were; the same seed at another spacing gives the same patient but for the noise.

    Parameters
    ----------
    seed : int
        Not negative.
    spacing : float
        Isotropic voxel size in mm.
    settings : PhantomSettings, optional
        Ranges to draw from.
    tumour : str, optional
        One of `TUMOUR_TYPES`; drawn where it is None.

    Raises
    ------
    ValueError
        If `tumour` is no known type or `spacing` is outside 0.5 to 4 mm.
    """
    if not 0.5 <= spacing <= 4:
        raise ValueError(f"A spacing of {spacing:g} mm cannot be made: use 0.5 to 4 mm.")
    settings = settings or PhantomSettings()
    warp = Warp(random_stream(seed, "warp"), settings.anatomy)
    plan = plan_tumour(random_stream(seed, "plan"), settings.tumour, warp, load_template(), tumour)
    head = make_head(
        random_stream(seed, "head"), settings.anatomy, warp, plan.push if plan is not None else None, spacing
    )
    grown = None
    if plan is not None:
        grown = grow_tumour(random_stream(seed, "growth"), settings.tumour, plan, head)
    distractors = make_distractors(random_stream(seed, "distractors"), settings.distractors, head)
    painter = Painter(random_stream(seed, "contrast"), settings.contrast, head, distractors, grown)
    images: dict[str, NDArray[np.int16]] = {}
    scans: dict[str, Any] = {}
    for modality in MODALITIES:
        clean = painter.image(random_stream(seed, f"contrast {modality}"), modality)
        images[modality], scans[modality] = acquire(
            random_stream(seed, f"scanner {modality}"), settings.scanner, head, clean, modality
        )
    classes = grown.classes if grown is not None else np.zeros(head.canvas.shape, np.uint8)

    box = bounding_box(head.mask, margin=_MARGIN)
    assert box is not None
    images = {name: np.ascontiguousarray(image[box]) for name, image in images.items()}
    classes = np.ascontiguousarray(classes[box])
    canvas = head.canvas.cropped(box)
    counts = np.bincount(classes.ravel(), minlength=len(CLASSES))
    record: dict[str, Any] = {
        "type": plan.kind if plan is not None else "none",
        "volumes_ml": {
            name: round(float(counts[index] * canvas.voxel_ml), 4)
            for index, name in enumerate(CLASSES)
            if index
        },
        "anatomy": head.record,
        "tumour": None,
        "distractors": distractors.record,
        "contrast": painter.record,
        "scanner": scans,
    }
    if plan is not None and grown is not None:
        record["tumour"] = {
            "style": plan.style,
            "wanted_ml": plan.volume_ml,
            "core_fraction": plan.core_fraction,
            "centres_mm": plan.centres.round(2).tolist(),
            "radii_mm": plan.radii.round(2).tolist(),
            "push_mm": plan.push.amounts.round(2).tolist() if plan.push else None,
            **grown.record,
        }
    return Phantom(
        f"Phantom_{seed:05d}", seed, spacing, images, classes, _affine(canvas.shape, spacing), record
    )


def _affine(shape: tuple[int, int, int], spacing: float) -> NDArray[np.float64]:
    """Place the box in the middle of a BraTS image, on whole millimetres.

    A BraTS image is LPS with its origin at (0, 239, 0): its voxel (i, j, k) lies at RAS
    (-i, 239 - j, k), so that its box is x in -239 ... 0, y in 0 ... 239, z in 0 ... 154.
    """
    corner = [
        np.floor((size - 1 - (count - 1) * spacing) / 2)
        for size, count in zip(BRATS_SHAPE, shape, strict=True)
    ]
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = np.array([-239.0, 0, 0]) + corner
    return affine
