"""One label map against a reference: Dice, HD95, volume error, false positives and negatives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_rdl.boxes import bounding_box, start_of
from napari_rdl.brats import CLASSES, REGIONS
from napari_rdl.case import Grid
from napari_rdl.compare.surfaces import Surface, hd95_between
from napari_rdl.errors import CaseError
from napari_rdl.metrics import Overlap, class_counts, class_pairs, region_counts

_CLASSES = len(CLASSES)


@dataclass(frozen=True)
class RegionScore:
    """How one region of a label map compares with the reference's.

    Attributes
    ----------
    volume_ml, reference_ml : float
        Volumes of both.
    dice : float
        By the rule of `napari_rdl.metrics.EMPTY_MASK_RULE`.
    false_positive_ml, false_negative_ml : float
        What is not in the reference, and what of the reference is missing.
    reference_empty : bool
        The reference has nothing of this region, so Dice says only whether the labels have nothing too.
    hd95 : float or None
        In mm; None where a mask is empty, or not measured yet.
    hd95_measured : bool
        Tells the two meanings of None apart.
    """

    volume_ml: float
    reference_ml: float
    dice: float
    false_positive_ml: float
    false_negative_ml: float
    reference_empty: bool
    hd95: float | None = None
    hd95_measured: bool = False

    @property
    def volume_error_ml(self) -> float:
        """Volume less the reference's; negative where tumour was missed."""
        return self.volume_ml - self.reference_ml


class Reference:
    """A label map to compare others with; its counts and surfaces are made once.

    Parameters
    ----------
    classes : ndarray of uint8
        (X, Y, Z) class indices on `grid`.
    grid : Grid
        The case's.
    title : str
        How tables call it, such as ``expert mask``.

    Raises
    ------
    CaseError
        If the labels lie on another grid, or hold values that are no class index.
    """

    def __init__(self, classes: NDArray[np.integer], grid: Grid, title: str = "reference") -> None:
        refuse_strange_labels(classes, grid, title)
        self.classes: NDArray[np.uint8] = np.ascontiguousarray(classes, np.uint8)
        self.grid = grid
        self.title = title

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Voxels of each class, shape (4,)."""
        return class_counts(self.classes)

    @cached_property
    def surfaces(self) -> dict[str, Surface]:
        """Region -> its surface."""
        return region_surfaces(self.classes, self.grid.spacing)

    @property
    def empty_regions(self) -> tuple[str, ...]:
        """Regions of which the reference has nothing."""
        return tuple(region for region, count in region_counts(self.counts).items() if not count)

    def score(
        self, classes: NDArray[np.uint8], *, distances: bool = True, smallest_et: int = 0
    ) -> dict[str, RegionScore]:
        """Score a label map.

        Parameters
        ----------
        classes : ndarray of uint8
            (X, Y, Z) class indices on the same grid.
        distances : bool
            Measure HD95 too; slower.
        smallest_et : int
            Enhancing tumour of fewer voxels than this counts as none.

        Returns
        -------
        dict
            Region -> score.
        """
        pairs = class_pairs(classes, self.classes)
        scores = scores_of_pairs(pairs, self.grid.voxel_ml, smallest_et=smallest_et)
        if not distances:
            return scores
        return self.with_distances(scores, classes)

    def with_distances(
        self,
        scores: dict[str, RegionScore],
        classes: NDArray[np.uint8],
        offset: tuple[int, int, int] = (0, 0, 0),
    ) -> dict[str, RegionScore]:
        """Return `scores` with HD95 filled in.

        Parameters
        ----------
        scores : dict
            Region -> score of these labels.
        classes : ndarray of uint8
            The labels, or a box of them that holds all tumour.
        offset : tuple of int
            The box's first voxel on the grid.
        """
        measured = {}
        for region, members in REGIONS.items():
            score = scores[region]
            distance = None
            if score.volume_ml and not score.reference_empty:
                surface = Surface(np.isin(classes, members), self.grid.spacing, offset)
                distance = hd95_between(surface, self.surfaces[region])
            measured[region] = replace(score, hd95=distance, hd95_measured=True)
        return measured


def scores_of_pairs(
    pairs: NDArray[np.integer], voxel_ml: float, *, smallest_et: int = 0
) -> dict[str, RegionScore]:
    """Return each region's score, without distances.

    Parameters
    ----------
    pairs : ndarray of int
        (4, 4) voxels by class of the labels and class of the reference.
    voxel_ml : float
        Volume of one voxel in ml.
    smallest_et : int
        Enhancing tumour of fewer voxels counts as none.
    """
    scores = {}
    for region in REGIONS:
        overlap = Overlap.of_pairs(pairs, region)
        if region == "ET" and overlap.found < smallest_et:
            overlap = Overlap(0, overlap.true, 0)
        scores[region] = RegionScore(
            volume_ml=float(overlap.found * voxel_ml),
            reference_ml=float(overlap.true * voxel_ml),
            dice=overlap.dice,
            false_positive_ml=float((overlap.found - overlap.both) * voxel_ml),
            false_negative_ml=float((overlap.true - overlap.both) * voxel_ml),
            reference_empty=overlap.true == 0,
        )
    return scores


def region_surfaces(classes: NDArray[np.uint8], spacing: tuple[float, float, float]) -> dict[str, Surface]:
    """Return the surface of each region of a label map (X, Y, Z)."""
    box = bounding_box(classes) or (slice(0, 1), slice(0, 1), slice(0, 1))
    inside, start = classes[box], start_of(box)
    return {region: Surface(np.isin(inside, members), spacing, start) for region, members in REGIONS.items()}


def refuse_strange_labels(classes: NDArray[np.integer], grid: Grid, title: str) -> None:
    """Refuse labels of another grid or with unknown values.

    Raises
    ------
    CaseError
        In one sentence that names `title`.
    """
    if classes.shape != grid.shape:
        shapes = [" x ".join(map(str, shape)) for shape in (classes.shape, grid.shape)]
        raise CaseError(
            f"The {title} lies on another grid ({shapes[0]} voxels, the images have {shapes[1]}): "
            "give labels that were drawn on these images."
        )
    if classes.dtype.kind not in "iub":
        raise CaseError(f"The {title} holds no whole numbers: give labels, not an image.")
    low, high = (int(classes.min()), int(classes.max())) if classes.size else (0, 0)
    if low < 0 or high >= _CLASSES:
        strange = high if high >= _CLASSES else low
        raise CaseError(
            f"The {title} holds the label {strange}, which is none of 0 background, 1 NCR, 2 ED, 3 ET: "
            "name its label convention, or give other labels."
        )
