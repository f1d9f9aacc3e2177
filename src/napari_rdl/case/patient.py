"""A Case: one patient's modalities on one RAS+ grid, with the way back to the files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_rdl.brats import LABEL_CONVENTIONS, LabelConvention
from napari_rdl.case.geometry import Grid, Native, resample_array
from napari_rdl.case.nifti import read_mask
from napari_rdl.errors import CaseError, Remedy


@dataclass(frozen=True, eq=False)
class Case:
    """One patient.

    Attributes
    ----------
    name : str
    images : Mapping[str, ndarray of float32, shape (X, Y, Z)]
        Modality -> raw intensities on `grid`, RAS+, finite, in the order T1, T1c, T2, FLAIR.
    grid : Grid
        RAS+; an oblique rotation stays in its affine.
    native : Native
        What the reference file had.
    files : Mapping[str, Path]
        Modality -> file; empty for a case made from arrays.
    mask_file : Path or None
        The expert's mask.
    convention : LabelConvention
        What mask values mean; results are written in it.
    notes : tuple of str
        What was mended or looked suspicious on reading, one sentence each.
    resampled : bool
        Whether any modality was brought onto another one's grid.
    convention_known : bool
        Whether names or user said the convention; where not, results are written in the default
        one and the expert's mask is not read.
    originals : Mapping[str, tuple of ndarray and Grid]
        Modality -> its image as it was read and the grid that it was read on, for those that were
        brought onto another one's. A model sees these, so that what it says of a modality does not
        depend on the grid of another.
    fit_mask : bool
        Whether an expert's mask on another grid may be brought onto this one, by nearest neighbour.
    unexplained : tuple of Path
        Images in the patient's folder that are not used, since their names say no modality.
    """

    name: str
    images: Mapping[str, NDArray[np.float32]]
    grid: Grid
    native: Native
    files: Mapping[str, Path]
    mask_file: Path | None
    convention: LabelConvention
    notes: tuple[str, ...]
    resampled: bool
    convention_known: bool = True
    originals: Mapping[str, tuple[NDArray[np.float32], Grid]] = field(default_factory=dict)
    fit_mask: bool = False
    unexplained: tuple[Path, ...] = ()

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that this patient has, in the fixed order."""
        return tuple(self.images)

    def own(self, modality: str) -> tuple[NDArray[np.float32], Grid]:
        """Return a modality's image on the grid that it was read on, RAS+, and that grid."""
        return self.originals.get(modality, (self.images[modality], self.grid))

    def truth(self) -> NDArray[np.uint8] | None:
        """Read the expert's mask as class indices on the case's grid.

        Returns
        -------
        ndarray of uint8, shape (X, Y, Z), or None
            RAS+; None where there is no mask.

        Raises
        ------
        CaseError
            If the mask is unreadable, lies on another grid, has values that the convention does
            not have, or the convention is not known.
        """
        if self.mask_file is None:
            return None
        if not self.convention_known:
            raise CaseError(
                f"The names do not say what the values of {self.mask_file} mean",
                Remedy.NAME_LABELS,
                conventions=", ".join(LABEL_CONVENTIONS),
            )
        classes, affine, header = read_mask(self.mask_file, self.convention)
        native = Native.from_header(classes.shape, affine, header)
        ras = native.from_native(classes)
        difference = self.grid.difference(native.grid)
        if difference is None:
            return ras
        if self.resampled or self.fit_mask:
            return resample_array(ras, native.grid, self.grid, order=0)
        raise CaseError(
            f"The mask {self.mask_file} is not on the images' grid ({difference})",
            Remedy.FIT_MASK,
        )
