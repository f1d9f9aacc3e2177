"""A bench of faults: sound files are damaged, and every door answers in one sentence or reads what is right.

Damages are drawn from a seed, so that a table of them can be made again, case for case.
"""

from napari_rdl.bench.faults.doors import DOORS
from napari_rdl.bench.faults.run import FaultCase, FaultReport, measure_faults

__all__ = ["DOORS", "FaultCase", "FaultReport", "measure_faults"]
