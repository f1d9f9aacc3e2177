"""Crops of patients that are kept in the device's memory, cut and changed there.

The same crops of the same visits as `crops` would read from disk are drawn by the same numbers; they
are changed by `batch_augment`, so that a GPU is not kept waiting by the CPU. One thread runs a few batches
ahead.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from queue import Empty, Full, Queue

import numpy as np
import torch
from numpy.typing import NDArray

from napari_rdl.cohort.patients import Patient
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.data.batch_augment import BatchAugmentation, Volume
from napari_rdl.training.data.cache import CachedPatient
from napari_rdl.training.data.crops import CROP, Batch, CropDataset
from napari_rdl.training.data.halves import HealthyHalf, healthy_half
from napari_rdl.training.data.visits import Visit

AHEAD = 3
"""Batches that are ready before the network asks."""

PLACES = 512
"""Voxels of each class that are kept to put crops on."""


@dataclass(frozen=True)
class _Resident:
    volume: Volume
    half: bool
    present: NDArray[np.bool_]
    places: tuple[NDArray[np.int64], ...]


class ResidentCrops:
    """Batches of crops on a device.

    Parameters
    ----------
    dataset : CropDataset
        Says whom each crop comes from.
    device : torch.device
        Where patients are kept and crops are made.
    """

    def __init__(self, dataset: CropDataset, device: torch.device) -> None:
        self.config: TrainingConfig = dataset.config
        self.dataset = dataset
        self.device = device
        self.augmentation = BatchAugmentation(self.config.augment)
        self._kept: OrderedDict[tuple[Patient, bool], _Resident] = OrderedDict()
        self._size = 0
        self._without_half: set[Patient] = set()

    def batches(self, numbers: Iterable[list[int]]) -> Iterator[Batch]:
        """Yield the batch of each list of crop numbers, made ahead by a thread of its own.

        Raises
        ------
        CaseError, OutputError
            As `PatientCache.get`, where it is the thread that met it.
        """
        ready: Queue[Batch | BaseException | None] = Queue(AHEAD)
        stop = threading.Event()

        def put(item: Batch | BaseException | None) -> bool:
            while not stop.is_set():
                try:
                    ready.put(item, timeout=0.1)
                except Full:
                    continue
                return True
            return False

        def work() -> None:
            try:
                for indices in numbers:
                    if not put(self.batch(indices)):
                        return
                put(None)
            except BaseException as error:
                put(error)

        thread = threading.Thread(target=work, name="resident crops", daemon=True)
        thread.start()
        try:
            while True:
                try:
                    item = ready.get(timeout=1.0)
                except Empty:
                    continue
                if item is None:
                    return
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stop.set()
            thread.join()

    def batch(self, indices: list[int]) -> Batch:
        """Return the crops of these numbers."""
        data = self.config.data
        visits = [self.dataset.visit_of(index) for index in indices]
        residents = [self._get(visit) for visit in visits]
        rngs = [np.random.default_rng([self.config.seed, CROP, index]) for index in indices]
        crops = [
            self.augmentation.cut(one.volume, self._centre(one, rng), data.crop, rng)
            for one, rng in zip(residents, rngs, strict=True)
        ]
        images, labels = (
            torch.stack([image for image, _ in crops]),
            torch.stack([label for _, label in crops]),
        )
        self.augmentation.carry(images, labels, rngs)
        images = self.augmentation.repaint(images, rngs)
        return {
            "images": images,
            "labels": labels,
            "present": torch.from_numpy(np.stack([one.present for one in residents])),
            "names": [visit.patient.name for visit in visits],
            "halves": [one.half for one in residents],
            "indices": indices,
        }

    def _centre(self, one: _Resident, rng: np.random.Generator) -> NDArray[np.float64]:
        """Choose the middle of a crop: near a tumour voxel, each class equally likely, or anywhere."""
        shape, crop = np.asarray(one.volume.classes.shape), np.asarray(self.config.data.crop)
        low, high = np.minimum(crop / 2, shape / 2), np.maximum(shape - crop / 2, shape / 2)
        if one.places and rng.random() < self.config.data.tumour_share:
            places = one.places[int(rng.integers(len(one.places)))]
            near = places[int(rng.integers(len(places)))] + rng.uniform(-0.25, 0.25, 3) * crop
            return np.asarray(np.clip(near, low, high))
        return rng.uniform(low, high)

    def _get(self, visit: Visit) -> _Resident:
        """Return a visit's patient, brought to the device now if need be; who was away longest leaves."""
        wants_half = visit.half and visit.patient not in self._without_half
        key = (visit.patient, wants_half)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        cached = self.dataset.cache.get(visit.patient)
        half = healthy_half(cached) if wants_half else None
        if wants_half and half is None:
            self._without_half.add(visit.patient)
            return self._get(visit)
        resident = self._load(cached, half)
        limit = int(self.config.data.resident_gb * 1e9)
        while self._kept and self._size + resident.volume.nbytes > limit:
            self._size -= self._kept.popitem(last=False)[1].volume.nbytes
        self._kept[key] = resident
        self._size += resident.volume.nbytes
        return resident

    def _load(self, cached: CachedPatient, half: HealthyHalf | None) -> _Resident:
        seen = cached if half is None else half
        images, classes = seen.images(_everything(seen.classes)), seen.classes
        rng = np.random.default_rng(0)
        places = []
        for index in range(1, int(classes.max(initial=0)) + 1):
            found = np.argwhere(classes == index)
            if len(found):
                places.append(found[rng.integers(len(found), size=PLACES)])
        volume = Volume.of(images, classes, self.device)
        return _Resident(volume, half is not None, cached.present, tuple(places))


def _everything(classes: NDArray[np.uint8]) -> tuple[slice, slice, slice]:
    x, y, z = classes.shape
    return slice(0, x), slice(0, y), slice(0, z)
