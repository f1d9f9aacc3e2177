"""Patients read or made by processes of their own, before a training or while it goes on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from pathlib import Path
from queue import Empty, SimpleQueue

from napari_rdl.cohort.patients import Patient
from napari_rdl.errors import DeviceError, NapariRdlError, OutputError
from napari_rdl.machine import usable_cores
from napari_rdl.training.config import DataConfig
from napari_rdl.training.data.cache import PatientCache

GIVE_WAY = 5
"""Niceness of the processes: whatever trains comes first."""

_LOADED = ["torch", "napari_rdl.segment"]
"""What takes a process that prepares patients seconds to load."""

_WORTH_PROCESSES = 4
"""So many patients to make for each process are worth its start of some seconds."""


@dataclass(frozen=True)
class Made:
    """A patient that is prepared, or cannot be.

    Attributes
    ----------
    patient : Patient
        Who.
    path : Path or None
        The prepared patient's file; None where there is none.
    whole : bool
        Whether every modality exists.
    reason : str or None
        Why the patient cannot be used.
    """

    patient: Patient
    path: Path | None
    whole: bool = True
    reason: str | None = None


def processes_of(data: DataConfig) -> int:
    """Return how many processes read and make patients."""
    if data.makers is not None:
        return data.makers
    return usable_cores()


class Maker:
    """Prepares patients in the background, in their order, and says which are newly prepared.

    Use it as a context: at its end nothing new is begun, and what has begun is waited for.

    Parameters
    ----------
    cache : PatientCache
        Where prepared patients are kept; those that are there already are done at once.
    patients : sequence of Patient
        Whom to prepare; the first ones first.
    processes : int
        How many work at once.
    """

    def __init__(self, cache: PatientCache, patients: Sequence[Patient], processes: int) -> None:
        self._pool = ProcessPoolExecutor(processes, _context(), initializer=_begin)
        self._ended: SimpleQueue[Future[Made]] = SimpleQueue()
        self._left = len(patients)
        # Another thread pickles what is submitted, while this one may keep patients in `cache`.
        theirs = PatientCache(cache.data, cache.modalities, cache.folder)
        for patient in patients:
            self._pool.submit(make, theirs, patient).add_done_callback(self._ended.put)

    def __enter__(self) -> Maker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def busy(self) -> bool:
        """Whether some patients are still to be prepared."""
        return self._left > 0

    def new(self, timeout: float = 0.0) -> list[Made]:
        """Return those prepared since the last call; wait up to `timeout` seconds for the first one.

        Raises
        ------
        DeviceError
            If a process was killed, as by the system where memory runs out.
        """
        made = []
        with suppress(Empty):
            while True:
                ended = self._ended.get(timeout=timeout) if timeout else self._ended.get_nowait()
                self._left, timeout = self._left - 1, 0.0
                try:
                    made.append(ended.result())
                except BrokenProcessPool as error:
                    raise DeviceError(
                        "A process that prepared patients was ended from outside, often because memory ran "
                        "out: lower data.makers."
                    ) from error
        return made

    def close(self) -> None:
        """End the processes after what each is at."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._left = 0


def make_all(cache: PatientCache, patients: Sequence[Patient], processes: int) -> Iterator[Made]:
    """Prepare patients, by several processes where it is worth their start; yield each as it is done."""
    there = [patient for patient in patients if cache.has(patient)]
    known = set(there)
    missing = [patient for patient in patients if patient not in known]
    alone = processes < 2 or len(missing) < _WORTH_PROCESSES * processes
    for patient in [*there, *(missing if alone else ())]:
        yield make(cache, patient)
    if alone:
        return
    with Maker(cache, missing, processes) as maker:
        while maker.busy:
            yield from maker.new(timeout=1.0)


def make(cache: PatientCache, patient: Patient) -> Made:
    """Prepare one patient, or say why it cannot be."""
    try:
        cached = cache.get(patient)
        return Made(patient, cached.path, bool(cached.present.all()))
    except OutputError:
        raise  # the cache's fault, no patient's
    except NapariRdlError as error:
        return Made(patient, None, reason=str(error))


class ReadyPatients:
    """Those of a list who are prepared, while others make them in the list's order.

    It looks at the files, so each process of a loader, and each machine, may have one of its own.
    """

    def __init__(self, cache: PatientCache, patients: Sequence[Patient]) -> None:
        self._cache = cache
        self.patients = tuple(patients)
        self._place = {patient: place for place, patient in enumerate(self.patients)}
        self._count = 0

    @property
    def count(self) -> int:
        """How many from the first one on are prepared."""
        while self._count < len(self.patients) and self._cache.has(self.patients[self._count]):
            self._count += 1
        return self._count

    def __contains__(self, patient: Patient) -> bool:
        place = self._place[patient]
        return place < self._count or place < self.count


def _context() -> BaseContext:
    """Return how processes begin: never as copies of one in which torch has threads, for these can lock up.

    Where the system can, they are copies of a server that has loaded what all of them need, once.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *_LOADED])
    return context


def _begin() -> None:
    """Make a process give way to the training, and end when it ends, however it ends."""
    with suppress(AttributeError, OSError):
        os.nice(GIVE_WAY)
    # Ctrl-C reaches every process of a terminal; the one that trains decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import torch

    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
