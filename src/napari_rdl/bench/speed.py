"""Timing of encoding, of all subsets, and of a flip, without a viewer."""

from __future__ import annotations

import platform
from collections import deque
from collections.abc import Callable
from importlib.metadata import version
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from napari_rdl.bench.report import FRAME_SECONDS, EncodeTime, FlipTime, Report, StudyTime, SubsetsTime
from napari_rdl.brats import all_subsets
from napari_rdl.callbacks import Progress, ignore_progress
from napari_rdl.errors import ConfigError
from napari_rdl.machine import processor_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_rdl.case import Case
    from napari_rdl.compare import SubsetStudy
    from napari_rdl.models import Model
    from napari_rdl.segment import Representations, SegmentSettings

SIZES: tuple[str, ...] = ("brats", "small")
"""The sample patient at BraTS size (240 x 240 x 155 at 1 mm), and one at 2 mm for a quick look."""

_SMALL_SEED = 1
_AXIAL = 2
_Result = TypeVar("_Result")
_Arguments = ParamSpec("_Arguments")


def bench_case(size: str, progress: Progress = ignore_progress) -> Case:
    """Return the patient to measure on.

    Raises
    ------
    ConfigError
        If `size` is not one of `SIZES`.
    """
    from napari_rdl.case import case_from_arrays, load_case
    from napari_rdl.phantom import make_phantom, sample_patient_folder

    if size == "brats":
        return load_case(sample_patient_folder(progress))
    if size == "small":
        phantom = make_phantom(_SMALL_SEED, spacing=2.0)
        return case_from_arrays(phantom.images, phantom.affine, name=phantom.name)
    raise ConfigError(f"--size {size}: use {' or '.join(SIZES)}.")


def measure(
    case: Case,
    model: Model,
    settings: SegmentSettings,
    *,
    size: str,
    repeats: int,
    progress: Progress = ignore_progress,
) -> tuple[Report, Representations]:
    """Measure on one case.

    Parameters
    ----------
    case : Case
    model : Model
    settings : SegmentSettings
    size : str
        Named in the report.
    repeats : int
        Rounds of everything; each ratio is taken within a round, and the median over rounds is told.
    progress : Progress

    Returns
    -------
    Report
    Representations
        Of all modalities, for what is measured next.
    """
    import torch

    from napari_rdl.segment import encode

    names = case.modalities
    counts = range(1, len(names) + 1)
    encode_seconds: dict[int, list[float]] = {count: [] for count in counts}
    one, every, studies = [], [], []
    truth = case.truth()
    total = repeats * (len(names) + 1)
    encode(case, model, modalities=names[:1], settings=settings)  # what is paid once is not measured
    for repeat in range(repeats):
        for count in counts:
            progress(
                repeat * (len(names) + 1) + count - 1, total, f"encoding {count} of {len(names)} modalities"
            )
            seconds, representations = _timed(
                encode, case, model, modalities=names[:count], settings=settings
            )
            encode_seconds[count].append(seconds)
        progress((repeat + 1) * (len(names) + 1) - 1, total, "combining every subset")
        one.append(_timed(representations.combine)[0])
        every.append(_timed(deque, representations.combine_all(), maxlen=0)[0])
        studies.append(_timed(_study, representations, truth)[0])
    full = encode_seconds[len(names)]
    report = Report(
        size=size,
        shape=case.grid.shape,
        model=model.name,
        device=representations.computation.device,
        precision=representations.computation.precision,
        threads=torch.get_num_threads(),
        processor=processor_name(),
        versions={name: version(name) for name in ("napari-rdl", "torch", "numpy")}
        | {"python": platform.python_version()},
        repeats=repeats,
        encode=tuple(
            EncodeTime(
                modalities=count,
                seconds=median(encode_seconds[count]),
                ratio=median(part / whole for part, whole in zip(encode_seconds[count], full, strict=True)),
                ideal=count / len(names),
            )
            for count in counts
        ),
        all_subsets=SubsetsTime(
            subsets=2 ** len(names) - 1,
            seconds=median(a + b for a, b in zip(full, every, strict=True)),
            one_run_seconds=median(a + b for a, b in zip(full, one, strict=True)),
            ratio=median((a + c) / (a + b) for a, b, c in zip(full, one, every, strict=True)),
        ),
        study=_measure_study(representations, truth, studies, full),
        flip=_measure_flips(representations, repeats),
    )
    progress(total, total, "")
    return report, representations


def flipped_subsets(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return subsets such that each differs from the one before: all, each one off, all again."""
    full = [tuple(names)]
    without = [subset for subset in all_subsets(names) if len(subset) == len(names) - 1]
    return [subset for pair in zip(without, full * len(without), strict=True) for subset in pair] or full


def _study(representations: Representations, truth: NDArray[np.uint8] | None) -> SubsetStudy:
    from napari_rdl.compare import study_subsets

    return study_subsets(representations, "full" if truth is None else truth, title="mask")


def _measure_study(
    representations: Representations,
    truth: NDArray[np.uint8] | None,
    seconds: list[float],
    encode_seconds: list[float],
) -> StudyTime:
    study = _study(representations, truth)
    distances, _ = _timed(deque, study.measure_distances(), maxlen=0)
    assert study.reference is not None
    return StudyTime(
        seconds=median(seconds),
        ratio=median(part / whole for part, whole in zip(seconds, encode_seconds, strict=True)),
        distances_seconds=distances,
        reference=study.reference.title,
        megabytes=study.stack.nbytes / 1e6,
    )


def _measure_flips(representations: Representations, repeats: int) -> FlipTime:
    index = representations.case.grid.shape[_AXIAL] // 2
    slices, volumes = [], []
    for _ in range(repeats):
        for subset in flipped_subsets(representations.modalities):
            slices.append(_timed(representations.label_slice, subset, _AXIAL, index)[0])
            volumes.append(_timed(representations.labels, subset)[0])
    return FlipTime(
        slice_seconds=median(slices),
        volume_seconds=median(volumes),
        slice_frames=median(slices) / FRAME_SECONDS,
    )


def _timed(
    work: Callable[_Arguments, _Result], *args: _Arguments.args, **kwargs: _Arguments.kwargs
) -> tuple[float, _Result]:
    started = perf_counter()
    result = work(*args, **kwargs)
    return perf_counter() - started, result
