"""What ``napari-rdl bench`` runs: how the design's speed promises hold on this machine.

Ratios of medians taken in one run, since seconds alone say as much about the machine as about the
program.
"""

from napari_rdl.bench.report import EncodeTime, FlipTime, Report, SubsetsTime, ViewerTime, WatchTime
from napari_rdl.bench.speed import SIZES, bench_case, measure

__all__ = [
    "SIZES",
    "EncodeTime",
    "FlipTime",
    "Report",
    "SubsetsTime",
    "ViewerTime",
    "WatchTime",
    "bench_case",
    "measure",
]
