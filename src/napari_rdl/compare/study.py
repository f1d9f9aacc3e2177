"""The subset study of one patient: a row for each of the 2^k - 1 subsets of its modalities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_rdl.brats import REGIONS, subset_name
from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.case import Grid
from napari_rdl.compare.label_stack import LabelStack
from napari_rdl.compare.other_labels import expert_reference
from napari_rdl.compare.scores import Reference, RegionScore, scores_of_pairs
from napari_rdl.compare.shapley import ModalityWorth, modality_worth
from napari_rdl.errors import Cancelled
from napari_rdl.metrics import region_counts

if TYPE_CHECKING:
    from napari_rdl.segment import Representations


@dataclass(frozen=True)
class SubsetRow:
    """What one subset says.

    Attributes
    ----------
    subset : tuple of str
        Modalities in the fixed order.
    volumes_ml : dict
        Region -> ml.
    scores : dict
        Region -> score against the reference; empty where there is none.
    """

    subset: tuple[str, ...]
    volumes_ml: dict[str, float]
    scores: dict[str, RegionScore]

    @property
    def name(self) -> str:
        """The subset's name, such as ``T1c+FLAIR``."""
        return subset_name(self.subset)


class SubsetStudy:
    """All subsets of a patient, and their numbers against a reference that may be changed at any time.

    Parameters
    ----------
    case_name : str
    grid : Grid
        The case's.
    stack : LabelStack
        Labels of all subsets.
    reference : Reference, optional
        Without it there are volumes alone.
    """

    def __init__(
        self, case_name: str, grid: Grid, stack: LabelStack, reference: Reference | None = None
    ) -> None:
        self.case_name = case_name
        self.grid = grid
        self.stack = stack
        self._counts = stack.counts()
        self._reference: Reference | None = None
        self._rows: list[SubsetRow] = []
        self.set_reference(reference)

    @property
    def modalities(self) -> tuple[str, ...]:
        """What the patient has, in the fixed order."""
        return self.stack.modalities

    @property
    def subsets(self) -> tuple[tuple[str, ...], ...]:
        """All subsets in the order of the paper's tables: that of the rows."""
        return self.stack.subsets

    @property
    def rows(self) -> tuple[SubsetRow, ...]:
        """A row for each subset; HD95 fills in as `measure_distances` goes on."""
        return tuple(self._rows)

    @property
    def reference(self) -> Reference | None:
        """What the rows are compared with."""
        return self._reference

    @property
    def remark(self) -> str | None:
        """What a reader must know of this study, or None: one modality only, regions without reference."""
        remarks = []
        if len(self.modalities) == 1:
            remarks.append(f"{self.case_name} has one modality ({self.modalities[0]}): the study is one row.")
        if self._reference is not None and (empty := self._reference.empty_regions):
            which = f"{' and '.join(empty)} {'is' if len(empty) == 1 else 'are'}"
            remarks.append(
                f"{which} empty in the {self._reference.title}: "
                "Dice is 1 where the labels are empty too and 0 elsewhere, and no modality has a value there."
            )
        return " ".join(remarks) or None

    def set_reference(self, reference: Reference | None) -> None:
        """Compare with another reference; nothing is encoded or combined again.

        Raises
        ------
        ValueError
            If it lies on another grid.
        """
        if reference is not None and reference.classes.shape != self.stack.shape:
            raise ValueError(f"The {reference.title} is not on the grid of {self.case_name}.")
        joint = None
        if reference is not None:
            joint = self.stack.joint_counts(reference.classes, reference.counts)
        voxel_ml = self.grid.voxel_ml
        self._reference = reference
        self._rows = [
            SubsetRow(
                subset,
                {region: float(count * voxel_ml) for region, count in region_counts(counts).items()},
                {} if joint is None else scores_of_pairs(joint[index], voxel_ml),
            )
            for index, (subset, counts) in enumerate(zip(self.subsets, self._counts, strict=True))
        ]

    def full_reference(self) -> Reference:
        """Return the labels of all modalities together as a reference."""
        return Reference(self.labels(self.modalities), self.grid, "full set")

    def row(self, subset: Iterable[str]) -> SubsetRow:
        """Return a subset's row."""
        return self._rows[self.stack.row_of(subset)]

    def labels(self, subset: Iterable[str]) -> NDArray[np.uint8]:
        """Return a subset's class indices (X, Y, Z) on the case's grid."""
        return self.stack.labels(subset)

    def label_slice(self, subset: Iterable[str], axis: int, index: int) -> NDArray[np.uint8]:
        """Return one slice of `labels`: what the viewer shows first."""
        return self.stack.label_slice(subset, axis, index)

    def measure_distances(
        self, progress: Progress | None = None, cancelled: IsCancelled | None = None
    ) -> Iterator[int]:
        """Fill in HD95, and yield the index of each row as it is done.

        Rows that have it are passed over, so a measurement that was left can be taken up again. It
        ends early where the reference is changed meanwhile.

        Raises
        ------
        Cancelled
            If `cancelled` answered True.
        """
        progress, cancelled = progress or ignore_progress, cancelled or never_cancelled
        reference = self._reference
        if reference is None:
            return
        for index, subset in enumerate(self.subsets):
            if cancelled():
                raise Cancelled
            if self._reference is not reference:
                return
            row = self._rows[index]
            if not all(score.hd95_measured for score in row.scores.values()):
                labels, offset = self.stack.boxed(subset)
                scores = reference.with_distances(row.scores, labels, offset)
                if self._reference is not reference:
                    return
                self._rows[index] = replace(row, scores=scores)
                yield index
            progress(index + 1, len(self.subsets), "Measuring distances")

    def adopt_distances(self, rows: Iterable[SubsetRow]) -> None:
        """Take HD95 over from rows of an earlier study, wherever all other numbers are the same."""
        earlier = {row.subset: row for row in rows}
        for index, row in enumerate(self._rows):
            if (known := earlier.get(row.subset)) is None:
                continue
            bare = {
                region: replace(score, hd95=None, hd95_measured=False)
                for region, score in known.scores.items()
            }
            if bare == row.scores:
                self._rows[index] = known

    def worth(self) -> ModalityWorth:
        """Return what each modality is worth: in Dice, or in ml where there is no reference."""
        if self._reference is None:
            volumes = {
                region: {row.subset: row.volumes_ml[region] for row in self._rows} for region in REGIONS
            }
            return modality_worth(self.modalities, "ml", volumes)
        dice = {region: {row.subset: row.scores[region].dice for row in self._rows} for region in REGIONS}
        return modality_worth(self.modalities, "dice", dice, self._reference.empty_regions)


def study_subsets(
    representations: Representations,
    reference: NDArray[np.uint8] | Reference | str | None = None,
    *,
    title: str = "reference",
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> SubsetStudy:
    """Study an encoded patient: labels, volumes and Dice of all subsets; nothing is encoded again.

    Parameters
    ----------
    representations : Representations
    reference : ndarray, Reference or str, optional
        Class indices (X, Y, Z) on the case's grid, ``"truth"`` for the expert's mask, ``"full"`` for
        what all modalities say together; volumes alone without it.
    title : str
        How tables call an array that is given.
    progress, cancelled : callable, optional
        Called after every slab of the volume.

    Returns
    -------
    SubsetStudy
        Without HD95: see `SubsetStudy.measure_distances`.

    Raises
    ------
    CaseError
        If the reference is not there, lies on another grid, or holds unknown labels.
    Cancelled
        If `cancelled` answered True.
    """
    case = representations.case
    chosen: Reference | None = None
    if isinstance(reference, Reference):
        chosen = reference
    elif isinstance(reference, np.ndarray):
        chosen = Reference(reference, case.grid, title)
    elif reference == "truth":
        chosen = expert_reference(case)
    elif reference not in (None, "full"):
        raise ValueError(f"{reference!r} is no reference: use truth, full or labels.")
    study = SubsetStudy(case.name, case.grid, LabelStack.of(representations, progress, cancelled), chosen)
    if isinstance(reference, str) and reference == "full":
        study.set_reference(study.full_reference())
    return study
