"""How time and memory grow with modalities, subsets, voxels and patients."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from functools import partial
from itertools import islice

import numpy as np

from napari_rdl.bench.figures import Figure, Figures, figures
from napari_rdl.bench.memory import peak_while
from napari_rdl.callbacks import Progress, ignore_progress
from napari_rdl.case import case_from_arrays
from napari_rdl.models import load_model
from napari_rdl.phantom import make_phantom
from napari_rdl.segment import RepresentationCache, SegmentSettings, encode

_SPACINGS = (3.0, 2.4, 1.9, 1.5)
_SUBSETS = (1, 5, 10, 15)
_PATIENTS = (1, 2, 4)
_SEED = 1

_LEAST = (0.0, 1e-3, 1.0)
"""Of a count, seconds and MB: what is smaller is taken for as much."""

Points = list[tuple[float, float, float]]
"""How many, seconds, MB."""


def measure_growth(*, spacings: Sequence[float] = _SPACINGS, progress: Progress = ignore_progress) -> Figures:
    """Measure synthetic patients of several sizes, and one of them with ever more of each kind."""
    model, settings = load_model(), SegmentSettings(device="cpu")
    cases = []
    for spacing in spacings:
        phantom = make_phantom(_SEED, spacing=spacing)
        cases.append(case_from_arrays(phantom.images, phantom.affine, name=phantom.name))
    middle = cases[len(cases) // 2]
    encode(cases[0], model, settings=settings)
    curves: dict[str, Points] = {}

    progress(0, 4, "Modalities")
    for count in range(1, len(middle.modalities) + 1):
        names = middle.modalities[:count]
        work = partial(encode, middle, model, modalities=names, settings=settings)
        _, seconds, peak = peak_while(work)
        curves.setdefault("modalities", []).append((count, seconds, peak))

    progress(1, 4, "Subsets")
    representations = encode(middle, model, settings=settings)
    for count in _SUBSETS:
        every = islice(representations.combine_all(), count)
        _, seconds, peak = peak_while(partial(deque, every, maxlen=0))
        curves.setdefault("subsets", []).append((count, seconds, peak))

    progress(2, 4, "Voxels")
    for case in cases:
        _, seconds, peak = peak_while(partial(encode, case, model, settings=settings))
        curves.setdefault("million voxels", []).append((math.prod(case.grid.shape) / 1e6, seconds, peak))

    progress(3, 4, "Patients")
    cache = RepresentationCache(2**40)
    taken = 0.0
    for count in range(1, max(_PATIENTS) + 1):
        found, seconds, _ = peak_while(partial(encode, cases[0], model, settings=settings))
        cache.put(count, found)
        taken += seconds
        if count in _PATIENTS:
            curves.setdefault("patients kept", []).append((count, taken, cache.nbytes / 1e6))
    progress(4, 4, "")
    return figures(
        "growth",
        "napari-rdl bench growth",
        f"synthetic patients of {', '.join(f'{spacing:g}' for spacing in spacings)} mm",
        [row for what, points in curves.items() for row in _rows(what, points)],
        [
            "The exponent is that of a power of the count: 1 is proportional, 0 does not grow.",
            "Memory is what the process grew by at its highest; of patients, what is kept of them.",
        ],
    )


def _rows(what: str, points: Points) -> list[Figure]:
    rows = []
    for count, seconds, megabytes in points:
        rows.append(Figure(what=f"{count:.3g} {what}: time", value=seconds, unit="s"))
        rows.append(Figure(what=f"{count:.3g} {what}: memory", value=megabytes, unit="MB"))
    rows.append(Figure(what=f"{what}: exponent of time", value=_slope(points, 1)))
    rows.append(Figure(what=f"{what}: exponent of memory", value=_slope(points, 2)))
    return rows


def _slope(points: Points, column: int) -> float:
    """Return the slope of a straight line through the logarithms."""
    counts = np.log([point[0] for point in points])
    # Below a megabyte a process's memory is the system's pages, no growth.
    values = np.log([max(point[column], _LEAST[column]) for point in points])
    return float(np.polyfit(counts, values, 1)[0])
