"""One modality, ready for the network: its own brain, its own grid, its own normalisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_rdl.boxes import Box, bounding_box
from napari_rdl.case import Case, Grid, brain_mask
from napari_rdl.case.intensity import normalize, prepared
from napari_rdl.errors import CaseError
from napari_rdl.segment.working_grid import Triple, WorkingGrid


@dataclass(frozen=True)
class Scan:
    """A modality on the grid of its own file, whatever grid the case has.

    Attributes
    ----------
    name : str
        Of the modality.
    image : ndarray of float32
        (X, Y, Z) raw intensities.
    mask : ndarray of bool
        (X, Y, Z) this modality's brain.
    brain : tuple of slice
        The box that holds it.
    own : Grid
        The file's grid, RAS+.
    moved : bool
        Whether the case has another grid.
    working : WorkingGrid
        What covers the brain of the working lattice that is anchored at the own grid.
    normalization : str
        How the model's card wants intensities prepared.
    """

    name: str
    image: NDArray[np.float32]
    mask: NDArray[np.bool_]
    brain: Box
    own: Grid
    moved: bool
    working: WorkingGrid
    normalization: str = "zscore-brain"

    @classmethod
    def of(
        cls, case: Case, name: str, spacing: Triple, patch: int, normalization: str = "zscore-brain"
    ) -> Scan:
        """Find a modality's brain.

        Raises
        ------
        CaseError
            If it has none.
        """
        image, own = case.own(name)
        mask = brain_mask(image)
        brain = bounding_box(mask)
        if brain is None:
            raise CaseError(
                f"The {name} image of {case.name} has no brain voxels: every voxel has the background's "
                "value, so leave this modality out."
            )
        working = WorkingGrid.covering(brain, own.spacing, spacing, patch=patch, within=own.shape)
        return cls(name, image, mask, brain, own, own is not case.grid, working, normalization)

    def normal(self) -> tuple[Tensor, float]:
        """Return the normalised intensities in ``working.box`` less what lies outside the brain, and that.

        So they are 0 outside, whatever a network wants to see there; resampling leaves the difference.
        """
        box = self.working.box
        if self.normalization == "zscore-brain":
            # It looks at the brain alone, and half of a volume lies outside the brain's box.
            return torch.from_numpy(normalize(self.image[box], self.mask[box])), 0.0
        normal, outside = prepared(self.image, self.mask, self.normalization)
        return torch.from_numpy(np.ascontiguousarray(normal[box])), outside

    def inside(self) -> NDArray[np.bool_]:
        """Return the brain in ``working.box``."""
        return np.ascontiguousarray(self.mask[self.working.box])
