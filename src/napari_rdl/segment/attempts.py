"""Passes through a network: where they run, how far they are, and what is tried when memory runs out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import torch

from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.case import Case
from napari_rdl.errors import DeviceError
from napari_rdl.models import Model
from napari_rdl.segment.answers import stop_if
from napari_rdl.segment.computation import Computation
from napari_rdl.segment.devices import resolve_device, resolve_precision
from napari_rdl.segment.kept_memory import large_pieces_kept
from napari_rdl.segment.ladder import Rung, free_memory, is_out_of_memory, rungs
from napari_rdl.segment.settings import SegmentSettings
from napari_rdl.segment.tiles import Tiling

logger = logging.getLogger(__name__)

_GPU_BATCH = 8
_Result = TypeVar("_Result")
_Module = TypeVar("_Module", bound=torch.nn.Module)


class Attempts:
    """The rung of the ladder that passes stand on, what was said on the way down, and how far they are.

    Parameters
    ----------
    model : Model
    settings : SegmentSettings

    Raises
    ------
    DeviceError
        If the device is not there.
    """

    def __init__(self, model: Model, settings: SegmentSettings) -> None:
        self._model = model
        self._settings = settings
        device = resolve_device(settings.device)
        self._precision = resolve_precision(settings.precision, device)
        self._ladder: Iterator[Rung] = iter(rungs(device, settings.tile or model.card.tile))
        self._rung = next(self._ladder)
        self._steps: list[str] = []
        self.plan({}, ignore_progress, never_cancelled)

    @property
    def device(self) -> torch.device:
        """Where passes run now."""
        return self._rung.device

    @property
    def tiling(self) -> Tiling:
        """How volumes are cut now."""
        on_cpu = self.device.type == "cpu"
        return Tiling(
            self._rung.tile,
            self._settings.overlap,
            self._precision,
            self._rung.results_device,
            1 if on_cpu else _GPU_BATCH,
        )

    def place(self, network: _Module) -> _Module:
        """Bring the model's network to `device`."""
        network.to(self.device)
        network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        return network

    def computation(self, case: Case) -> Computation:
        """Return what was computed with, as it is now."""
        return Computation.of(
            case, self._model, self._settings, str(self.device), self._precision, tuple(self._steps)
        )

    def plan(
        self, shapes: Mapping[str, tuple[int, int, int]], progress: Progress, cancelled: IsCancelled
    ) -> None:
        """Count the tiles of the volumes ahead, which go by name."""
        self._shapes, self._progress, self._cancelled = shapes, progress, cancelled
        self._done = 0
        self._total = sum(self._count(name) for name in shapes)

    @large_pieces_kept()
    def make(self, names: Sequence[str], work: Callable[[], _Result]) -> _Result:
        """Return what `work` makes of the volumes `names`, on ever more frugal rungs.

        Raises
        ------
        DeviceError
            If even the last one runs out of memory.
        Cancelled
            If the user asked for it.
        """
        while True:
            before = self._done
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Outside the except block, so that the traceback no longer holds the tensors.
            self._done = before
            self._step_down(names)

    def after_tile(self, name: str) -> None:
        """Tell of a tile of the volume `name`, and stop where the user asked for it."""
        self._done += 1
        self._progress(min(self._done, self._total), self._total, f"Encoding {name}")
        stop_if(self._cancelled)

    def finish(self) -> None:
        """Say that all is done, and leave the model on the CPU for whoever uses it next."""
        self._model.network.to("cpu")
        self._progress(self._total, self._total, "Encoded")
        # Who asked is not kept alive with what was computed.
        self._progress, self._cancelled = ignore_progress, never_cancelled

    def _step_down(self, names: Sequence[str]) -> None:
        free_memory(self.device)
        below = next(self._ladder, None)
        if below is None:
            raise DeviceError(
                f"Memory ran out while encoding {', '.join(names)}, even with {self._rung.in_words()}: close "
                "other programs or use a machine with more memory."
            )
        step = f"Memory ran out with {self._rung.in_words()}; going on with {below.in_words()}."
        logger.warning(step)
        self._steps.append(step)
        if below.device != self.device:
            self._precision = resolve_precision("auto", below.device)
        self._rung = below
        ahead = list(self._shapes)
        ahead = ahead[ahead.index(names[0]) :]
        self._total = self._done + sum(self._count(name) for name in ahead)

    def _count(self, name: str) -> int:
        return self.tiling.count(self._shapes[name], self._model.card.network.stride)
