"""A simulated annotator with three tools: a brush, a random walker on intensities, and refinement."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_rdl.bench.report import AnnotatorReport, AnnotatorRow
from napari_rdl.bench.strokes import Stroke, next_stroke
from napari_rdl.brats import subset_name
from napari_rdl.callbacks import Progress, ignore_progress
from napari_rdl.metrics import region_dice

if TYPE_CHECKING:
    from napari_rdl.case import Case
    from napari_rdl.cohort.patients import Patient
    from napari_rdl.correct.refine import Refiner
    from napari_rdl.models import Model
    from napari_rdl.segment import SegmentSettings

STROKES: tuple[int, ...] = (0, 1, 3, 5, 10)
"""After how many strokes Dice is measured."""

BRUSH_MM = 3.0
"""Radius of the ball that a brush leaves along a stroke."""

WALKER_BOX = 48
"""Voxels along each side of the box around a stroke in which the random walker works."""

_AXIAL = 2
Labels = NDArray[np.uint8]
Tool = Callable[[Labels, Sequence[Stroke]], Labels]
"""From the labels before, and all strokes with the newest last, to the labels after it."""


def measure_annotator(
    patients: Sequence[Patient],
    model: Model,
    subset: tuple[str, ...],
    settings: SegmentSettings,
    *,
    strokes: tuple[int, ...] = STROKES,
    progress: Progress = ignore_progress,
) -> AnnotatorReport:
    """Let the annotator correct what one subset says of each patient, once with each tool.

    Every tool sees the images of `subset` alone, and gets its own strokes: into what is then its own largest
    error.

    Raises
    ------
    CaseError
        If a patient lacks a modality of `subset`, or a mask.
    """
    from napari_rdl.correct.refine import Refiner
    from napari_rdl.segment import encode

    rows: list[AnnotatorRow] = []
    for done, patient in enumerate(patients):
        case, truth = patient.read_with_truth()
        representations = encode(case, model, modalities=subset, settings=settings)
        start = representations.labels()
        refining = Refining(Refiner(representations), start)
        tools: dict[str, Tool] = {
            "painting": Brush(case.grid.spacing),
            "random walker": Walker(case, subset),
            "refinement": refining,
        }
        for number, (name, tool) in enumerate(tools.items()):
            progress(done * len(tools) + number, len(patients) * len(tools), f"{patient.name}, {name}")
            for count, labels, seconds in correct(tool, start, truth, case.grid.spacing, max(strokes)):
                if count in strokes:
                    scores = region_dice(labels, truth)
                    shown = refining.slice_seconds[-1] if tool is refining and count else None
                    rows.append(
                        AnnotatorRow(
                            patient=patient.name,
                            tool=name,
                            strokes=count,
                            wt=scores["WT"],
                            tc=scores["TC"],
                            et=scores["ET"],
                            seconds=seconds,
                            slice_seconds=shown,
                        )
                    )
    progress(1, 1, "")
    return AnnotatorReport(model=model.name, subset=subset_name(subset), rows=tuple(rows))


def correct(
    tool: Tool, start: Labels, truth: Labels, spacing: tuple[float, float, float], strokes: int
) -> Iterator[tuple[int, Labels, float | None]]:
    """Yield strokes made, labels, and the seconds that the tool took; first the start, after no stroke.

    Where nothing is wrong any more, the labels stay as they are.
    """
    labels = start
    made: list[Stroke] = []
    yield 0, labels, None
    for count in range(1, strokes + 1):
        stroke = next_stroke(labels, truth, spacing)
        seconds = 0.0
        if stroke is not None:
            made.append(stroke)
            started = perf_counter()
            labels = tool(labels, made)
            seconds = perf_counter() - started
        yield count, labels, seconds


class Brush:
    """Paints a ball of `BRUSH_MM` along the newest stroke."""

    def __init__(self, spacing: tuple[float, float, float]) -> None:
        size = np.array(spacing)
        reach = np.ceil(BRUSH_MM / size).astype(int)
        around = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), -1).reshape(
            -1, 3
        )
        self._ball = around[np.square(around * size).sum(1) <= BRUSH_MM**2]

    def __call__(self, labels: Labels, strokes: Sequence[Stroke]) -> Labels:
        """Return the labels with the newest stroke painted."""
        painted = labels.copy()
        voxels = (strokes[-1].voxels[:, None] + self._ball[None]).reshape(-1, 3)
        voxels = voxels[((voxels >= 0) & (voxels < np.array(labels.shape))).all(1)]
        painted[tuple(voxels.T)] = strokes[-1].class_index
        return painted


class Walker:
    """The random walker (Grady, 2006) in a box around the newest stroke, on the normalised images.

    Its seeds are all strokes in the box, and the labels on the box's faces, so that it meets what is around.
    """

    def __init__(self, case: Case, subset: tuple[str, ...]) -> None:
        from napari_rdl.case import brain_mask, normalize

        images = [normalize(case.images[name], brain_mask(case.images[name])) for name in subset]
        self._images = np.stack(images, -1)
        self._spacing = case.grid.spacing

    def __call__(self, labels: Labels, strokes: Sequence[Stroke]) -> Labels:
        """Return the labels with those in the box made anew."""
        from skimage.segmentation import random_walker

        middle = strokes[-1].voxels.mean(0).round().astype(int)
        low = np.clip(middle - WALKER_BOX // 2, 0, np.maximum(np.array(labels.shape) - WALKER_BOX, 0))
        box = tuple(slice(int(first), int(first) + WALKER_BOX) for first in low)
        seeds = np.zeros(labels.shape, np.int32)[box]
        faces = np.ones(seeds.shape, bool)
        faces[1:-1, 1:-1, 1:-1] = False
        seeds[faces] = labels[box][faces] + 1
        for stroke in strokes:
            local = stroke.voxels - low
            local = local[((local >= 0) & (local < np.array(seeds.shape))).all(1)]
            seeds[tuple(local.T)] = stroke.class_index + 1
        result = labels.copy()
        if len(np.unique(seeds[seeds > 0])) == 1:
            # The walker needs somewhere else to go.
            result[box] = seeds.max() - 1
            return result
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It tells of quicker solvers that are not installed.
            found = random_walker(
                self._images[box], seeds, mode="cg_j", tol=1e-3, channel_axis=-1, spacing=self._spacing
            )
        result[box] = found - 1
        return result


class Refining:
    """Refines the start with all strokes.

    Attributes
    ----------
    slice_seconds : list of float
        For each stroke, after how long its slice was there.
    """

    def __init__(self, refiner: Refiner, start: Labels) -> None:
        self._refiner = refiner
        self._start = start
        self.slice_seconds: list[float] = []

    def __call__(self, labels: Labels, strokes: Sequence[Stroke]) -> Labels:
        """Return what the strokes make of the start."""
        scribbles = np.zeros(labels.shape, np.uint8)
        for stroke in strokes:
            scribbles[tuple(stroke.voxels.T)] = stroke.class_index + 1
        started = perf_counter()
        refinement = self._refiner.fit(self._start, scribbles)
        refinement.label_slice(_AXIAL, int(strokes[-1].voxels[0, _AXIAL]))
        self.slice_seconds.append(perf_counter() - started)
        return refinement.labels()
