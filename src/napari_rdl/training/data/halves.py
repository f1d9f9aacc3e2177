"""The half of a patient's brain that has no tumour: real tissue, on a real scanner, in which to find none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_rdl.training.data.cache import CachedPatient

ACROSS_MM = 15.0
"""How far tumour may reach over the midline for the other half to count as healthy. Of sixteen real gliomas
three keep 5 mm away from it and eleven do not reach further than this: oedema follows the corpus callosum."""

MARGIN_MM = 5.0
"""What is left out beyond the tumour's reach: experts draw its edge on one side or the other of a few mm."""


def midline(brain: NDArray[np.bool_]) -> float:
    """Return where along x, in voxels, the plane between the halves of a brain lies.

    It is the plane about which the brain's cross-sections are most nearly symmetric.

    Parameters
    ----------
    brain : ndarray
        (X, Y, Z), x from left to right.
    """
    profile = brain.sum((1, 2)).astype(float)
    # The convolution of a profile with itself is largest at twice its centre of symmetry.
    return float(np.convolve(profile, profile).argmax()) / 2


def healthy_side(classes: NDArray[np.uint8], middle: float, spacing: float) -> slice | None:
    """Return the range along x of the half without tumour; None where neither half, or each, has none.

    It ends at the midline, or, where the tumour reaches a little over it, a margin beyond its reach.

    Parameters
    ----------
    classes : ndarray
        (X, Y, Z) class indices, 0 where there is no tumour.
    middle : float
        The midline in voxels.
    spacing : float
        Voxel size along x in mm.
    """
    tumour = np.flatnonzero(classes.any((1, 2)))
    if not len(tumour):
        return None
    across, margin = ACROSS_MM / spacing, MARGIN_MM / spacing
    right = slice(int(np.ceil(max(middle, tumour[-1] + margin))), classes.shape[0])
    left = slice(0, int(np.floor(min(middle, tumour[0] - margin))) + 1)
    free = [
        side
        for side, reach in ((right, tumour[-1] - middle), (left, middle - tumour[0]))
        if reach <= across and side.stop > side.start
    ]
    return max(free, key=lambda side: side.stop - side.start, default=None)


@dataclass(frozen=True)
class HealthyHalf:
    """A prepared patient of which only the half without tumour is there: the other half lies outside.

    Beyond a volume a crop reads zeros, so all modalities and the labels are zero in the half left out.
    """

    whole: CachedPatient
    side: slice

    @property
    def classes(self) -> NDArray[np.uint8]:
        """Class indices (X', Y, Z)."""
        return self.whole.classes[self.side]

    @property
    def present(self) -> NDArray[np.bool_]:
        """(M,) True where the modality exists."""
        return self.whole.present

    def images(self, box: tuple[slice, slice, slice]) -> NDArray[np.float32]:
        """Return (M, *box) normalised intensities."""
        x, y, z = box
        start = self.side.start
        return self.whole.images((slice(start + x.start, start + x.stop), y, z))


def healthy_half(patient: CachedPatient) -> HealthyHalf | None:
    """Return the half of a prepared patient that has no tumour, if one half alone has it."""
    side = healthy_side(patient.classes, patient.midline, patient.spacing[0])
    return None if side is None else HealthyHalf(patient, side)
