"""How long a patient takes to open, beside what nibabel alone takes to read the same files."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from napari_rdl.bench.report import OpeningTime
from napari_rdl.callbacks import Progress, ignore_progress


def measure_opening(folder: str | Path, repeats: int, progress: Progress = ignore_progress) -> OpeningTime:
    """Open a patient, and read its files with nibabel, in turns.

    nibabel reads each image as ``get_fdata`` gives it; opening also checks the file to its end, brings it
    into RAS+ and single precision, looks at its values, and compares the grids.

    Parameters
    ----------
    folder : str or Path
        A patient's.
    repeats : int
        Rounds, after one that is not counted; medians over them are told.
    progress : callable

    Raises
    ------
    CaseError
        If the patient cannot be read.
    """
    import nibabel as nib

    from napari_rdl.case import load_case

    paths = list(load_case(folder).files.values())
    clocks: dict[str, list[tuple[float, float]]] = {"alone": [], "opening": []}
    for number in range(repeats):
        progress(number, repeats, "Opening")
        began = perf_counter(), process_time()
        for path in paths:
            nib.load(path).get_fdata()  # type: ignore[attr-defined]
        between = perf_counter(), process_time()
        load_case(folder)
        ended = perf_counter(), process_time()
        clocks["alone"].append((between[0] - began[0], between[1] - began[1]))
        clocks["opening"].append((ended[0] - between[0], ended[1] - between[1]))
    pairs = list(zip(clocks["opening"], clocks["alone"], strict=True))
    return OpeningTime(
        images=len(paths),
        seconds=median(seconds for seconds, _ in clocks["opening"]),
        nibabel_seconds=median(seconds for seconds, _ in clocks["alone"]),
        ratio=median(ours[0] / theirs[0] for ours, theirs in pairs),
        cpu_ratio=median(ours[1] / theirs[1] for ours, theirs in pairs),
    )
