"""Timing of a flip in a napari window, and of the window's answers beside a training."""

from __future__ import annotations

import tempfile
from itertools import accumulate
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from napari_rdl.bench.report import ANSWER_SECONDS, ViewerTime, WatchTime
from napari_rdl.bench.speed import flipped_subsets

if TYPE_CHECKING:
    from napari_rdl.segment import Representations

_AXIAL = 2


def measure_viewer(representations: Representations, repeats: int) -> ViewerTime:
    """Open a window on the encoded case and measure how long a flipped modality takes to be drawn.

    Reading the pixels back makes sure that drawing has ended, so the times are upper bounds.
    """
    from napari_rdl.plugin.segment.demo import closing_viewer
    from napari_rdl.plugin.viewer.patient_layers import add_case
    from napari_rdl.plugin.viewer.planes import show_plane
    from napari_rdl.plugin.viewer.prediction import PredictionLayer

    case = representations.case
    index = case.grid.shape[_AXIAL] // 2
    with closing_viewer() as viewer:
        add_case(viewer, case)
        prediction = PredictionLayer(viewer, case)
        prediction.show(representations.labels())
        show_plane(viewer, "axial")
        viewer.dims.set_current_step(_AXIAL, index)
        viewer.screenshot(flash=False)
        redraws, idles = [], []
        for _ in range(repeats):
            for subset in flipped_subsets(representations.modalities):
                started = perf_counter()
                prediction.show_slice(_AXIAL, index, representations.label_slice(subset, _AXIAL, index))
                viewer.screenshot(flash=False)
                redraws.append(perf_counter() - started)
                started = perf_counter()
                viewer.screenshot(flash=False)
                idles.append(perf_counter() - started)
    return ViewerTime(
        redraw_seconds=median(redraws), idle_seconds=median(idles), ratio=median(redraws) / median(idles)
    )


def measure_watch(seconds: float = 10.0) -> WatchTime:
    """Open a window beside a small training on the CPU and measure how long it takes to answer.

    Raises
    ------
    NapariRdlError
        If the training does not run.
    """
    from napari_rdl.plugin.segment.demo import closing_viewer
    from napari_rdl.plugin.train.responsiveness import gaps_beside_a_run

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, closing_viewer() as viewer:
        gaps = gaps_beside_a_run(viewer, Path(folder), seconds)
    longest: dict[int, float] = {}
    for ended, gap in zip(accumulate(gaps), gaps, strict=True):
        longest[int(ended)] = max(gap, longest.get(int(ended), 0.0))
    return WatchTime(
        median_seconds=median(longest.values()),
        worst_seconds=max(gaps),
        late=sum(gap > ANSWER_SECONDS for gap in gaps),
        seconds=sum(gaps),
    )
