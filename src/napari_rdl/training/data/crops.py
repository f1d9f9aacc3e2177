"""Crops of prepared patients: where they lie, and what becomes of them.

Everything random is a function of the run's seed and the crop's number, never of what was drawn
before. A run can therefore start again at any step, with any number of workers or processes, and
see the same crops. Only where patients are made while training goes on, one that is not there yet
is stood in for by one that is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, NotRequired, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from napari_rdl.errors import NapariRdlError
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.data.augment import Augmentation
from napari_rdl.training.data.cache import CachedPatient, PatientCache
from napari_rdl.training.data.halves import HealthyHalf, healthy_half
from napari_rdl.training.data.making import ReadyPatients
from napari_rdl.training.data.sources import Source
from napari_rdl.training.data.visits import Visit, Visits

CROP, SUBSETS, STAND_IN = 2, 3, 6
"""Streams of random numbers: crops and their changes, subsets of a step, who stands in for whom.
Visits have streams 1, 4 and 5."""

Triple = tuple[int, int, int]


class Batch(TypedDict):
    """Crops of one pass through the network."""

    images: Tensor  # (B, M, D, H, W) float32
    labels: Tensor  # (B, D, H, W) int64
    present: Tensor  # (B, M) bool
    names: list[str]
    halves: list[bool]
    indices: list[int]
    starts: NotRequired[Tensor]  # (B, 3) int64, the first voxel's place among those of the patient's brain
    mirrored: NotRequired[Tensor]  # (B, 3) bool, True for axes that run the other way


class CropDataset(Dataset[Any]):
    """Crop number i of a run, for any i.

    Parameters
    ----------
    config : TrainingConfig
        Resolved.
    sources : sequence of Source
        Who is visited.
    cache : PatientCache
        Where they are prepared.
    """

    def __init__(self, config: TrainingConfig, sources: Sequence[Source], cache: PatientCache) -> None:
        self.config = config
        self.visits = Visits(sources, config.seed)
        self.cache = cache
        self.augmentation = Augmentation(config.augment)
        self._growing = {
            number: ReadyPatients(cache, source.patients)
            for number, source in enumerate(self.visits.sources)
            if config.data.make_while_training and source.synthetic
        }

    def visit_of(self, index: int) -> Visit:
        """Return the visit at which crop `index` is taken."""
        visit = self.visits[index // self.config.data.crops_per_visit]
        ready = self._growing.get(visit.source)
        if ready is None or visit.patient in ready or not ready.count:
            return visit
        rng = np.random.default_rng([self.config.seed, STAND_IN, visit.number])
        return replace(visit, patient=ready.patients[int(rng.integers(ready.count))])

    def __getitem__(self, index: int) -> dict[str, object] | NapariRdlError:
        """Return a crop, or why there is none: an error that a worker raised would lose its words."""
        try:
            return self.crop(index)
        except NapariRdlError as error:
            return error

    def crop(self, index: int) -> dict[str, object]:
        """Return crop `index`: what `collate` stacks.

        Raises
        ------
        NapariRdlError
            If the patient can no longer be read.
        """
        visit = self.visit_of(index)
        whole = self.cache.get(visit.patient)
        half = healthy_half(whole) if visit.half else None
        cached = whole if half is None else half
        rng = np.random.default_rng([self.config.seed, CROP, index])
        data = self.config.data
        size = self.augmentation.size_to_read(data.crop)
        corner = choose_corner(cached.classes, size, data.tumour_share, rng)
        images, labels = read_crop(cached, corner, size)
        images, labels, mirrored = self.augmentation(images, labels, data.crop, rng)
        start = np.add(corner, np.subtract(size, data.crop) // 2)
        if half is not None:
            start[0] += half.side.start
        return {
            "images": images,
            "labels": labels.astype(np.int64),
            "present": cached.present,
            "name": visit.patient.name,
            "half": half is not None,
            "index": index,
            "start": start,
            "mirrored": mirrored,
        }


class StepSampler(Sampler[list[int]]):
    """Crop numbers of every pass of one process, from any step on; without an end where `until` is None."""

    def __init__(self, config: TrainingConfig, first_step: int, until: int | None, rank: int) -> None:
        self.config = config
        self.first_step = first_step
        self.until = until
        self.rank = rank

    def __iter__(self) -> Iterator[list[int]]:
        local, micro = self.config.local_batch, self.config.micro_batch
        steps = count(self.first_step) if self.until is None else range(self.first_step, self.until)
        for step in steps:
            start = step * self.config.optimizer.batch + self.rank * local
            for first in range(start, start + local, micro):
                yield list(range(first, first + micro))


def crop_loader(dataset: CropDataset, sampler: StepSampler) -> Iterator[Batch]:
    """Yield a run's batches; workers run ahead of the network.

    Raises
    ------
    NapariRdlError
        If a patient can no longer be read, be it in a worker.
    """
    workers = dataset.config.data.workers
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_sampler=sampler,
        num_workers=workers,
        collate_fn=collate,
        prefetch_factor=8 if workers else None,
        # A generator of its own: otherwise the loader draws from, and so changes, the global one.
        generator=torch.Generator(),
        worker_init_fn=_start_worker if workers else None,
    )
    for batch in loader:
        if isinstance(batch, NapariRdlError):
            raise batch
        yield batch


def collate(crops: Sequence[dict[str, object] | NapariRdlError]) -> Batch | NapariRdlError:
    """Stack crops into a batch; return the first error where one of them is none."""
    for crop in crops:
        if isinstance(crop, NapariRdlError):
            return crop
    return stack_crops([crop for crop in crops if not isinstance(crop, NapariRdlError)])


def stack_crops(crops: Sequence[dict[str, object]]) -> Batch:
    """Stack crops into a batch."""

    def stack(key: str) -> Tensor:
        return torch.from_numpy(np.stack([np.asarray(crop[key]) for crop in crops]))

    return {
        "images": stack("images"),
        "labels": stack("labels"),
        "present": stack("present"),
        "names": [str(crop["name"]) for crop in crops],
        "halves": [bool(crop["half"]) for crop in crops],
        "indices": [int(str(crop["index"])) for crop in crops],
        "starts": stack("start"),
        "mirrored": stack("mirrored"),
    }


def choose_corner(
    classes: NDArray[np.uint8], size: Triple, tumour_share: float, rng: np.random.Generator
) -> Triple:
    """Choose where a crop starts, by its first voxel; negative where the volume is smaller.

    With chance `tumour_share` it holds a voxel of a tumour class, each class that the patient has
    being equally likely, not always in the middle; otherwise it lies anywhere.
    """
    found = np.flatnonzero(np.bincount(classes.ravel(), minlength=1)[1:]) + 1
    centre = None
    if len(found) and rng.random() < tumour_share:
        voxels = np.flatnonzero(classes == rng.choice(found))
        centre = np.unravel_index(int(voxels[rng.integers(len(voxels))]), classes.shape)
    corner = []
    for axis, (length, edge) in enumerate(zip(classes.shape, size, strict=True)):
        low, high = sorted((0, length - edge))
        if centre is None:
            corner.append(int(rng.integers(low, high + 1)))
        else:
            jitter = int(rng.integers(-(edge // 4), edge // 4 + 1))
            corner.append(int(np.clip(int(centre[axis]) - edge // 2 + jitter, low, high)))
    return corner[0], corner[1], corner[2]


def read_crop(
    cached: CachedPatient | HealthyHalf, corner: Triple, size: Triple
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Read (M, *size) images and (*size) labels; zeros beyond the volume."""
    shape = cached.classes.shape
    inside, place = [], []
    for start, edge, length in zip(corner, size, shape, strict=True):
        first, last = max(start, 0), min(start + edge, length)
        inside.append(slice(first, last))
        place.append(slice(first - start, last - start))
    box, target = (inside[0], inside[1], inside[2]), tuple(place)
    images = np.zeros((len(cached.present), *size), np.float32)
    labels = np.zeros(size, np.uint8)
    images[(slice(None), *target)] = cached.images(box)
    labels[target] = cached.classes[box]
    return images, labels


def _start_worker(worker: int) -> None:
    """Keep a worker to one thread: it must not take the network's cores."""
    del worker
    torch.set_num_threads(1)
