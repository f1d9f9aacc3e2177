"""What an edit may touch: inside a region only, classes kept, intensities in a range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_rdl.brats import REGIONS
from napari_rdl.correct.edits import Edit

ANYWHERE = ""
NESTED = "nested"
"""Painting a class stays within the region round it: ET within the core, NCR within the tumour."""

_AROUND = {3: "TC", 1: "WT"}


@dataclass(frozen=True)
class Protection:
    """Which voxels an edit may change.

    Labels are one class a voxel, so that ET in TC in WT holds whatever is painted; `NESTED` keeps the outer
    regions from growing when an inner one is painted.

    Attributes
    ----------
    inside : str
        `ANYWHERE`, `NESTED`, or a region: only what belongs to it already changes.
    keep : frozenset of int
        Classes whose voxels stay what they are.
    modality : str
        Whose intensities decide; empty for none.
    low, high : float
        Only voxels between these change.
    """

    inside: str = ANYWHERE
    keep: frozenset[int] = frozenset()
    modality: str = ""
    low: float = -np.inf
    high: float = np.inf

    def allowed(
        self, edit: Edit, labels: NDArray[np.uint8], images: Mapping[str, NDArray[np.float32]]
    ) -> Edit:
        """Return the part of `edit` that may be made.

        Parameters
        ----------
        edit : Edit
        labels : ndarray of uint8, shape (X, Y, Z)
            Before the edit.
        images : Mapping[str, ndarray of float32, shape (X, Y, Z)]
            Modality -> intensities.
        """
        old = labels.reshape(-1)[edit.indices]
        allowed = ~np.isin(old, list(self.keep))
        if self.inside == NESTED:
            for value, region in _AROUND.items():
                allowed &= (edit.values != value) | np.isin(old, REGIONS[region])
        elif self.inside:
            allowed &= np.isin(old, REGIONS[self.inside])
        image = images.get(self.modality) if self.modality else None
        if image is not None:
            here = image.reshape(-1)[edit.indices]
            allowed &= (here >= self.low) & (here <= self.high)
        return edit if allowed.all() else edit.where(allowed)
