"""Refinement from scribbles: labels change around a stroke, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_rdl.boxes import Box, box_of_voxels, cut_across, intersection, start_of, union, within
from napari_rdl.brats import CLASSES
from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.correct.features import VoxelFeatures
from napari_rdl.correct.geodesic import Geodesic
from napari_rdl.correct.head import fit_head
from napari_rdl.correct.pieces import stroked_pieces
from napari_rdl.correct.strokes import RefineSettings, loudness_of, start_logits, stroke_logits
from napari_rdl.segment import Representations

Labels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Refinement:
    """What a set of strokes makes of labels, to be had slice by slice.

    Attributes
    ----------
    box : tuple of slice or None
        Holds every voxel that may change, on the case's grid; None without strokes.
    """

    box: Box | None
    _before: Labels
    _scribbles: Labels
    _features: VoxelFeatures
    _geodesic: Geodesic
    _distances: dict[int, NDArray[np.float32]]
    _head: NDArray[np.float64]
    _settings: RefineSettings

    def labels(self) -> Labels:
        """Return all labels (X, Y, Z); outside `box` they are those before."""
        found = self._before.copy()
        if self.box is not None:
            found[self.box] = self._inside(self.box)
        return found

    def label_slice(self, axis: int, index: int) -> Labels:
        """Return one slice of `labels`, computed alone: what the viewer shows first.

        Parameters
        ----------
        axis : int
            Axis that is cut: 0 sagittal, 1 coronal, 2 axial.
        index : int
            Voxel index along that axis.

        Returns
        -------
        ndarray of uint8
            The other two axes in their order; equal to ``labels().take(index, axis)``.
        """
        found: Labels = np.take(self._before, [index], axis).squeeze(axis)
        cut = cut_across(self.box, axis, index) if self.box is not None else None
        if cut is not None:
            thin, flat = cut
            found[flat] = self._inside(thin).squeeze(axis)
        return found

    def _inside(self, box: Box) -> Labels:
        """Return the labels of a part of the case's grid."""
        found = self._before[box].copy()
        common = intersection(box, self._features.box) if self._distances else None
        if common is not None:
            part = found[within(common, box)]
            rows = self._features.rows[within(common, self._features.box)]
            at = np.argwhere(rows >= 0)
            voxels = at + np.array(start_of(common)) - np.array(start_of(self._features.box))
            distances = {name: self._geodesic.at(far, voxels) for name, far in self._distances.items()}
            near = np.minimum.reduce(list(distances.values())) < self._settings.reach
            at = at[near]
            where = tuple(at.T)
            heard = {name: distance[near] for name, distance in distances.items()}
            chosen = rows[where]
            logits = start_logits(self._features.logits[chosen], part[where], self._settings.margin)
            logits += stroke_logits(heard, logits.shape[1], self._settings)
            loudness = loudness_of(heard, self._settings.reach)
            said = self._features.design(chosen) @ self._head.astype(np.float32)
            logits += loudness[:, None] * said
            part[where] = logits.argmax(1)
        strokes = self._scribbles[box]
        return np.where(strokes > 0, strokes - 1, found).astype(np.uint8)


class Refiner:
    """Refine labels of a case with one subset of its modalities.

    What was said of each voxel is kept; strokes then fit a small softmax head on it, which is drawn to the
    model's own answer and held by what the model is sure of far from the strokes. Nothing is remembered
    between calls: the same labels and strokes always give the same result, so a stroke is taken back by
    refining without it.

    Parameters
    ----------
    representations : Representations
        The encoded case.
    subset : iterable of str, optional
        The modalities in use; all that were encoded if left out.
    settings : RefineSettings, optional
    progress, cancelled : callable, optional
        Called while what is known of each voxel is gathered.

    Raises
    ------
    ValueError
        If the subset is empty or names a modality that was not encoded.
    Cancelled
        If `cancelled` answered True.
    """

    def __init__(
        self,
        representations: Representations,
        subset: Iterable[str] | None = None,
        settings: RefineSettings | None = None,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> None:
        self.subset = representations.subset(subset)
        self.settings = settings or RefineSettings()
        grid = representations.case.grid
        self._shape, self._spacing = grid.shape, grid.spacing
        self._features = VoxelFeatures.of(
            representations, self.subset, progress or ignore_progress, cancelled or never_cancelled
        )
        inside = np.argwhere(self._features.rows >= 0)
        self._anchors = inside[:: max(1, len(inside) // self.settings.anchors)]
        self._geodesic = Geodesic(
            self._features.images, self._features.rows >= 0, grid.spacing, self.settings.steepness
        )

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self._features.nbytes

    def refine(self, labels: Labels, scribbles: Labels) -> Labels:
        """Return the labels that the strokes make of `labels`.

        Parameters
        ----------
        labels : ndarray of uint8, shape (X, Y, Z)
            Class indices before any of the strokes, on the case's grid.
        scribbles : ndarray of uint8, shape (X, Y, Z)
            All strokes: 0 where there is none, else class index + 1, so that 1 says "not tumour".

        Raises
        ------
        ValueError
            If a shape or a value does not fit.
        """
        return self.fit(labels, scribbles).labels()

    def refine_slice(self, labels: Labels, scribbles: Labels, axis: int, index: int) -> Labels:
        """Return one slice of what `refine` returns, without the rest of it."""
        return self.fit(labels, scribbles).label_slice(axis, index)

    def fit(self, labels: Labels, scribbles: Labels) -> Refinement:
        """Listen to the strokes; the result then gives the shown slice first and the volume after it.

        Parameters and errors are those of `refine`. Neither array is kept from change: give copies where
        they are painted on meanwhile.
        """
        self._check(labels, scribbles)
        settings = self.settings
        # Flat and of truth values: numpy finds them ten times as fast.
        strokes = np.stack(np.unravel_index(np.flatnonzero(scribbles != 0), scribbles.shape), axis=1)
        origin = np.array(start_of(self._features.box))
        local = strokes - origin
        said = scribbles[tuple(strokes.T)].astype(np.int64) - 1
        inside = ((local >= 0) & (local < np.array(self._features.rows.shape))).all(1)
        rows = np.full(len(local), -1, np.int64)
        rows[inside] = self._features.rows[tuple(local[inside].T)]
        known = rows >= 0
        local, said, rows = local[known], said[known], rows[known]
        distances = {
            int(name): self._geodesic.distances(int(name), local[said == name], settings.reach)
            for name in np.unique(said)
        }
        labels, cleared = self._without_pieces(labels, strokes[scribbles[tuple(strokes.T)] == 1])
        boxes = [found for found in (box_of_voxels(strokes), cleared) if found is not None]
        head = np.zeros((self._features.width, len(CLASSES)))
        if distances:
            reach = self._geodesic.reach(np.minimum.reduce(list(distances.values())), settings.reach)
            if reach is not None:
                x, y, z = (
                    slice(part.start + first, min(part.stop, size) + first)
                    for part, first, size in zip(
                        reach, origin.tolist(), self._features.rows.shape, strict=True
                    )
                )
                boxes.append((x, y, z))
                head = self._fit_head(labels, rows, said, local, distances)
        box = union(boxes) if boxes else None
        return Refinement(box, labels, scribbles, self._features, self._geodesic, distances, head, settings)

    def _without_pieces(self, labels: Labels, strokes: NDArray[np.integer]) -> tuple[Labels, Box | None]:
        """Return labels without the pieces that "not tumour" strokes mean, and a box that holds these."""
        found, boxes = labels, []
        if len(strokes) and labels[tuple(strokes.T)].any():
            found = labels.copy()
            for box, meant in stroked_pieces(labels > 0, strokes, self._spacing):
                found[box][meant] = 0
                boxes.append(box)
        return found, union(boxes) if boxes else None

    def _check(self, labels: Labels, scribbles: Labels) -> None:
        for name, array in (("labels", labels), ("scribbles", scribbles)):
            if array.shape != self._shape:
                raise ValueError(f"The {name} have the shape {array.shape}, the case {self._shape}.")
        if labels.max(initial=0) >= len(CLASSES) or scribbles.max(initial=0) > len(CLASSES):
            raise ValueError(f"Labels are at most {len(CLASSES) - 1}, scribbles at most {len(CLASSES)}.")

    def _fit_head(
        self,
        labels: Labels,
        rows: NDArray[np.int64],
        said: NDArray[np.int64],
        local: NDArray[np.integer],
        distances: dict[int, NDArray[np.float32]],
    ) -> NDArray[np.float64]:
        """Fit to the strokes, each class counting alike, and to the anchors within reach."""
        settings, features = self.settings, self._features
        before = labels[features.box]
        heard = {name: self._geodesic.at(far, self._anchors) for name, far in distances.items()}
        within = np.minimum.reduce(list(heard.values())) < settings.reach
        anchor_at = self._anchors[within]
        anchor_rows = features.rows[tuple(anchor_at.T)]
        anchor_said = before[tuple(anchor_at.T)].astype(np.int64)
        # Doubt is cast on what is near a stroke that says something else.
        doubt = np.zeros(len(anchor_at), np.float32)
        for name, far in heard.items():
            near = 1 - far[within] / settings.reach
            doubt = np.where(anchor_said != name, np.maximum(doubt, near), doubt)
        own = np.exp(features.logits[anchor_rows, anchor_said])
        anchor_weights = own**settings.sure * np.square(1 - doubt)
        kinds = np.bincount(anchor_said, anchor_weights, minlength=len(CLASSES))
        anchor_weights *= settings.anchor_weight / np.maximum(kinds, 1)[anchor_said]
        stroke_weights = 1.0 / np.bincount(said, minlength=len(CLASSES))[said]
        all_rows = np.concatenate([rows, anchor_rows])
        return fit_head(
            features.design(all_rows),
            start_logits(
                features.logits[all_rows],
                np.concatenate([before[tuple(local.T)], anchor_said]),
                settings.margin,
            ),
            np.concatenate([said, anchor_said]),
            np.concatenate([stroke_weights, anchor_weights]),
            settings.ridge,
        )
