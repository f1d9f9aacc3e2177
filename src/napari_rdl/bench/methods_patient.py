"""What a patient costs each method, beside ours: with sliding windows, from images to labels."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from time import perf_counter

import torch
from pydantic import BaseModel, ConfigDict

from napari_rdl.bench.methods import published_network
from napari_rdl.callbacks import Progress, ignore_progress
from napari_rdl.case import Case
from napari_rdl.errors import ConfigError
from napari_rdl.models import Model, ModelCard
from napari_rdl.models.importing import PUBLISHED
from napari_rdl.segment import SegmentSettings, encode
from napari_rdl.segment.devices import resolve_precision

HALF = 0.5
"""The share of a window that overlaps its neighbour in the public test scripts of the comparison methods."""


class PatientTime(BaseModel):
    """How long a method takes for one patient.

    Attributes
    ----------
    method : str
        Its name in the registry.
    edge : int
        Of its windows, in voxels of its working grid.
    overlap : float
    windows : int
        That were passed through the network with all modalities: each modality's own of a separable one.
    seconds : float
        From the images of all modalities to labels on their grid.
    more_seconds : float
        What a further subset, all but the first modality, takes then.
    ratio : float
        `seconds` over ours.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str
    edge: int
    overlap: float
    windows: int
    seconds: float
    more_seconds: float
    ratio: float


class PatientTimes(BaseModel):
    """All methods on one machine and patient."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    patient: str
    device: str
    precision: str
    threads: int
    rows: tuple[PatientTime, ...]


def measure_patient(
    case: Case,
    methods: Iterable[str],
    model: Model,
    *,
    device: str = "cpu",
    precision: str = "float32",
    threads: int = 1,
    progress: Progress = ignore_progress,
) -> PatientTimes:
    """Segment a patient once with each method, ours first.

    Ours has its own windows; the others theirs, half of each overlapping the next, their spacing and their
    preparation of intensities, and fresh weights: time does not depend on them.

    Parameters
    ----------
    case : Case
        With two modalities or more.
    methods : iterable of str
        Names in the registry beside ours, ``rdl``.
    model : Model
        Ours.
    precision : str
        As in `napari_rdl.bench.methods.measure_methods`.

    Raises
    ------
    ConfigError
        If a method is not among those whose windows are known, or the patient has one modality.
    """
    names = list(dict.fromkeys(name for name in methods if name != "rdl"))
    unknown = [name for name in names if name not in PUBLISHED]
    if unknown:
        raise ConfigError(f"No windows of {unknown[0]!r} are known: use {', '.join(PUBLISHED)}.")
    if len(case.modalities) < 2:
        raise ConfigError(f"{case.name} has one modality: a further subset needs two.")
    before = torch.get_num_threads()
    precision = resolve_precision(precision, torch.device(device))
    torch.set_num_threads(threads)
    try:
        rows: list[PatientTime] = []
        for place, name in enumerate(["rdl", *names]):
            progress(place, 1 + len(names), name)
            ours = rows[0].seconds if rows else None
            chosen = model if name == "rdl" else _published(name)
            rows.append(_measure(case, name, chosen, device, precision, ours))
    finally:
        torch.set_num_threads(before)
    where = torch.cuda.get_device_name() if device == "cuda" else device
    return PatientTimes(
        patient=case.name, device=where, precision=precision, threads=threads, rows=tuple(rows)
    )


def _published(name: str) -> Model:
    """Return a method with fresh weights, and the windows and preparation of its public code."""
    published = import_module(f"napari_rdl.models.{name}.published")
    network = published_network(name).eval().requires_grad_(False)
    card = ModelCard(
        name=name,
        method=name,
        network=network.config,
        spacing=(1.0, 1.0, 1.0),
        tile=max(published.TILE, network.config.stride),
        normalization=published.NORMALIZATION,
    )
    return Model(network, card, Path(name), "")


def _measure(
    case: Case, name: str, model: Model, device: str, precision: str, ours: float | None
) -> PatientTime:
    overlap = SegmentSettings().overlap if name == "rdl" else HALF
    settings = SegmentSettings.model_validate({"device": device, "precision": precision, "overlap": overlap})
    passed: list[int] = []

    def count(done: int, total: int, message: str) -> None:
        passed.append(done)

    started = perf_counter()
    representations = encode(case, model, settings=settings, progress=count)
    representations.combine(None, count)
    between = perf_counter()
    windows = max(passed)
    representations.combine(case.modalities[1:])
    ended = perf_counter()
    seconds = between - started
    return PatientTime(
        method=name,
        edge=model.card.tile,
        overlap=overlap,
        windows=windows,
        seconds=seconds,
        more_seconds=ended - between,
        ratio=seconds / (ours or seconds),
    )
