"""Several readers of one patient: how well they agree, where they do not, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_rdl.boxes import bounding_box, middle_of, pieces, union
from napari_rdl.brats import CLASSES, REGIONS
from napari_rdl.compare.surfaces import Surface, hd95_between
from napari_rdl.errors import ConfigError
from napari_rdl.metrics import Overlap

Labels = NDArray[np.uint8]
"""Class indices, (X, Y, Z)."""

_MARGIN = 3
"""Voxels around all that any reader marked which STAPLE sees: with a whole head of background every reader
would look nearly perfect."""


@dataclass(frozen=True)
class RegionAgreement:
    """How well two readers agree on a region.

    Attributes
    ----------
    dice : float
        1 where neither marked it.
    mean_mm, hd95_mm : float or None
        Mean, and 95th percentile, of the distances from each one's surface to the other's; None where one
        of them marked nothing.
    first_ml, second_ml : float
        What each marked.
    """

    dice: float
    mean_mm: float | None
    hd95_mm: float | None
    first_ml: float
    second_ml: float


@dataclass(frozen=True)
class Disagreement:
    """A connected place that two readers labelled differently.

    Attributes
    ----------
    voxel : tuple of int
        The voxel of the place that lies nearest its middle.
    ml : float
    first, second : str
        The class that each gave most of it.
    """

    voxel: tuple[int, int, int]
    ml: float
    first: str
    second: str


def reader_agreement(
    first: Labels, second: Labels, spacing: tuple[float, float, float]
) -> dict[str, RegionAgreement]:
    """Return how well two readers agree, region by region.

    Parameters
    ----------
    first, second : ndarray of uint8, shape (X, Y, Z)
    spacing : tuple of float
        Voxel size in mm.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    _require_one_shape([first, second])
    ml = float(np.prod(spacing)) / 1000
    found = {}
    for region, members in REGIONS.items():
        one, other = np.isin(first, members), np.isin(second, members)
        overlap = Overlap.of_masks(one, other)
        surfaces = Surface(one, spacing), Surface(other, spacing)
        mean = None
        if overlap.found and overlap.true:
            ways = surfaces[0].distances_from(surfaces[1]), surfaces[1].distances_from(surfaces[0])
            mean = float(np.concatenate(ways).mean())
        found[region] = RegionAgreement(
            overlap.dice, mean, hd95_between(*surfaces), overlap.found * ml, overlap.true * ml
        )
    return found


def disagreements(
    first: Labels, second: Labels, voxel_ml: float, *, most: int = 50, smallest_ml: float = 0.02
) -> list[Disagreement]:
    """Return the connected places that two readers labelled differently, the largest first.

    Parameters
    ----------
    first, second : ndarray of uint8, shape (X, Y, Z)
    voxel_ml : float
    most : int
        How many places to return at most.
    smallest_ml : float
        Smaller places are left out.
    """
    _require_one_shape([first, second])
    places = []
    for box, own in pieces(first != second):
        ml = float(np.count_nonzero(own) * voxel_ml)
        if ml < smallest_ml:
            continue
        said = (CLASSES[int(np.bincount(labels[box][own]).argmax())] for labels in (first, second))
        places.append(Disagreement(middle_of(box, own), ml, *said))
    return sorted(places, key=lambda place: -place.ml)[:most]


def majority(readers: Sequence[Labels]) -> Labels:
    """Return what more than half of the readers say, region by region, so that ET lies in TC and TC in WT.

    Two readers must agree: what only one of them marked is not marked.

    Parameters
    ----------
    readers : sequence of ndarray of uint8, shape (X, Y, Z)
    """
    return _together(readers, lambda masks: 2 * np.count_nonzero(masks, axis=0) > np.array(len(masks)))


def staple(readers: Sequence[Labels]) -> Labels:
    """Return the consensus of STAPLE (Warfield et al. 2004), region by region, as SimpleITK computes it.

    It weighs each reader by how sensitive and specific the readers together find that one; a voxel is of a
    region where its probability is at least one half, and of the region round it.

    Parameters
    ----------
    readers : sequence of ndarray of uint8, shape (X, Y, Z)

    Raises
    ------
    ConfigError
        If SimpleITK is not installed.
    """
    try:
        import SimpleITK as sitk  # noqa: N813 - the name that its own documentation has
    except ImportError:
        raise ConfigError(
            "STAPLE needs SimpleITK, which is not installed: install napari-rdl[readers], or use the "
            "majority."
        ) from None

    def probable(masks: list[NDArray[np.bool_]]) -> NDArray[np.bool_]:
        boxes = [box for mask in masks if (box := bounding_box(mask, margin=_MARGIN)) is not None]
        agreed = masks[0].copy()
        if not boxes or all(np.array_equal(mask, agreed) for mask in masks):
            return agreed
        box = union(boxes)
        images = [sitk.GetImageFromArray(np.ascontiguousarray(mask[box], np.uint8)) for mask in masks]
        agreed[:] = False
        agreed[box] = sitk.GetArrayFromImage(sitk.STAPLE(images, 1.0)) >= 0.5
        return agreed

    return _together(readers, probable)


def _together(
    readers: Sequence[Labels], decide: Callable[[list[NDArray[np.bool_]]], NDArray[np.bool_]]
) -> Labels:
    _require_one_shape(readers)
    found = np.zeros(readers[0].shape, np.uint8)
    inside = np.ones(found.shape, bool)
    # From the outermost region inwards; a class is what its region has beside the next one.
    for region, own in (("WT", "ED"), ("TC", "NCR"), ("ET", "ET")):
        inside &= decide([np.isin(labels, REGIONS[region]) for labels in readers])
        found[inside] = CLASSES.index(own)
    return found


def _require_one_shape(readers: Sequence[Labels]) -> None:
    shapes = {labels.shape for labels in readers}
    if len(shapes) != 1:
        raise ValueError(f"Readers' labels must have one shape; these have {sorted(shapes)}.")
