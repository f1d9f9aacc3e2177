"""What ``napari-rdl bench`` runs: how the design's speed promises hold here, and what a stroke is worth.

Of speed, ratios of medians taken in one run, since seconds alone say as much about the machine as about the
program.
"""

from napari_rdl.bench.annotator import measure_annotator
from napari_rdl.bench.report import (
    AnnotatorReport,
    AnnotatorRow,
    EncodeTime,
    FlipTime,
    Report,
    SubsetsTime,
    ViewerTime,
    WatchTime,
)
from napari_rdl.bench.speed import SIZES, bench_case, measure

__all__ = [
    "SIZES",
    "AnnotatorReport",
    "AnnotatorRow",
    "EncodeTime",
    "FlipTime",
    "Report",
    "SubsetsTime",
    "ViewerTime",
    "WatchTime",
    "bench_case",
    "measure",
    "measure_annotator",
]
