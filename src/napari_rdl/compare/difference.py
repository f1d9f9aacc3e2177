"""The difference of two label maps: what only one of them says, and what both say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_rdl.brats import CLASSES, REGIONS
from napari_rdl.metrics import Overlap

NEITHER, ONLY_A, ONLY_B, BOTH = range(4)
"""Values of a difference map."""

PARTS: tuple[str, ...] = (*REGIONS, *CLASSES[1:-1])
"""What can be compared: the regions, and the classes that are no region themselves."""


@dataclass(frozen=True)
class DifferenceVolumes:
    """Volumes in ml of the three parts of a difference map, and how well A and B agree.

    Attributes
    ----------
    only_a, only_b, both : float
    dice : float or None
        None where neither A nor B has anything.
    """

    only_a: float
    only_b: float
    both: float
    dice: float | None


def difference(first: NDArray[np.uint8], second: NDArray[np.uint8], part: str = "WT") -> NDArray[np.uint8]:
    """Return `NEITHER`, `ONLY_A`, `ONLY_B` or `BOTH` for each voxel.

    Parameters
    ----------
    first, second : ndarray of uint8
        A and B: class indices of one shape.
    part : str
        One of `PARTS`: a region (WT, TC, ET) or a class (NCR, ED).

    Raises
    ------
    ValueError
        If the shapes differ, or `part` is none of them.
    """
    if first.shape != second.shape:
        raise ValueError(f"Labels of shapes {first.shape} and {second.shape} cannot be compared.")
    members = members_of(part)
    here = np.isin(first, members).view(np.uint8)
    there = np.isin(second, members).view(np.uint8)
    return here * np.uint8(ONLY_A) + there * np.uint8(ONLY_B)


def difference_volumes(map_: NDArray[np.uint8], voxel_ml: float) -> DifferenceVolumes:
    """Return the volumes of a difference map in ml, and the Dice of A and B."""
    _, only_a, only_b, both = (int(count) for count in np.bincount(map_.ravel(), minlength=4))
    dice = Overlap(only_a + both, only_b + both, both).dice if only_a + only_b + both else None
    return DifferenceVolumes(only_a * voxel_ml, only_b * voxel_ml, both * voxel_ml, dice)


def members_of(part: str) -> tuple[int, ...]:
    """Return the class indices of a region or class by name.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if part in REGIONS:
        return REGIONS[part]
    if part in CLASSES[1:]:
        return (CLASSES.index(part),)
    raise ValueError(f"{part!r} is neither a region nor a class: use {', '.join(PARTS)}.")
