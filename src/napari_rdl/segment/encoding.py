"""Encode once: one backbone pass for each modality that is present."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_rdl.boxes import Box, bounding_box
from napari_rdl.brats import order_modalities
from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.case import Case, brain_mask, normalize
from napari_rdl.errors import Cancelled, CaseError, CheckpointError, DeviceError
from napari_rdl.models import Model
from napari_rdl.segment.devices import resolve_device, resolve_precision
from napari_rdl.segment.ladder import Rung, free_memory, is_out_of_memory, rungs
from napari_rdl.segment.representations import ModalityRepresentation, Representations
from napari_rdl.segment.settings import SegmentSettings
from napari_rdl.segment.tiles import encode_tiles, tile_count, tile_shape
from napari_rdl.segment.working_grid import WorkingGrid

logger = logging.getLogger(__name__)


def encode(
    case: Case,
    model: Model,
    *,
    modalities: Iterable[str] | None = None,
    settings: SegmentSettings | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Representations:
    """Pass each modality of a case through the shared backbone, alone.

    A modality's representation depends on that modality only: its own brain mask, normalisation,
    tiles and call. On the CPU it is the same bit for bit whichever others are present.

    Parameters
    ----------
    case : Case
        Images (X, Y, Z) in RAS+ order on one grid.
    model : Model
        Network with its card; images are resampled to the card's working spacing.
    modalities : iterable of str, optional
        Which to encode; all that the case has and the model knows if left out.
    settings : SegmentSettings, optional
        Device, precision, tiles.
    progress, cancelled : callable, optional
        Called after every tile.

    Returns
    -------
    Representations
        Everything that any subset needs, on the case's grid.

    Raises
    ------
    CaseError
        If a modality asked for is not there, or an image has no brain voxels.
    CheckpointError
        If the model knows none of the case's modalities.
    DeviceError
        If the device is not there, or even the most frugal attempt runs out of memory.
    Cancelled
        If `cancelled` answered True.
    """
    settings = settings or SegmentSettings()
    progress = progress or ignore_progress
    cancelled = cancelled or never_cancelled
    started = time.perf_counter()
    names = _choose(case, model, modalities)
    device = resolve_device(settings.device)
    precision = resolve_precision(settings.precision, device)

    brains = {}
    for name in names:
        if cancelled():
            raise Cancelled
        brains[name] = _brain(case, name)
    grids = {
        name: WorkingGrid.covering(box, case.grid.spacing, model.card.spacing)
        for name, (box, _) in brains.items()
    }
    run = _Run(model, settings.overlap, precision, list(rungs(device, settings.tile or model.card.tile)))
    run.plan(grids, progress, cancelled)
    encoded = {}
    for name in names:
        box, mask = brains[name]
        encoded[name] = run.encode(name, case.images[name], mask, box, grids[name])
    run.finish()
    return Representations(
        case=case,
        model=model,
        encoded=encoded,
        settings=settings,
        device=str(run.rung.device),
        precision=run.precision,
        steps=tuple(run.steps),
        seconds=time.perf_counter() - started,
    )


def _choose(case: Case, model: Model, modalities: Iterable[str] | None) -> tuple[str, ...]:
    known = model.card.network.modalities
    if modalities is None:
        names = tuple(name for name in known if name in case.images)
        if not names:
            raise CheckpointError(
                f"The model {model.name!r} knows {', '.join(known)}, none of which {case.name} has: "
                "choose another model."
            )
        return names
    try:
        names = order_modalities(modalities, known)
    except ValueError as error:
        raise CaseError(str(error)) from error
    missing = [name for name in names if name not in case.images]
    if missing or not names:
        raise CaseError(
            f"{case.name} has no {' and no '.join(missing) or 'modality chosen'}: choose among "
            f"{', '.join(case.images)}."
        )
    return names


def _brain(case: Case, name: str) -> tuple[Box, NDArray[np.bool_]]:
    """Return the box that holds a modality's own brain voxels, and the mask within it."""
    mask = brain_mask(case.images[name])
    box = bounding_box(mask)
    if box is None:
        raise CaseError(
            f"The {name} image of {case.name} has no brain voxels: every voxel has the background's "
            "value, so leave this modality out."
        )
    return box, mask


class _Run:
    """One encode: the rung it stands on, what was said on the way down, and how far it is."""

    def __init__(self, model: Model, overlap: float, precision: str, ladder: list[Rung]) -> None:
        self.model = model
        self.overlap = overlap
        self.precision = precision
        self.steps: list[str] = []
        self._ladder: Iterator[Rung] = iter(ladder)
        self.rung = next(self._ladder)
        self._done = 0
        self._total = 0

    def plan(self, grids: dict[str, WorkingGrid], progress: Progress, cancelled: IsCancelled) -> None:
        """Count the tiles ahead."""
        self._tiles = {name: grid.shape for name, grid in grids.items()}
        self._progress = progress
        self._cancelled = cancelled
        self._total = sum(self._count(shape) for shape in self._tiles.values())

    def encode(
        self, name: str, image: NDArray[np.float32], mask: NDArray[np.bool_], box: Box, grid: WorkingGrid
    ) -> ModalityRepresentation:
        """Encode one modality, stepping down the ladder as often as memory runs out."""
        normal = torch.from_numpy(np.ascontiguousarray(normalize(image, mask)[box]))
        inside = torch.from_numpy(np.ascontiguousarray(mask[box]))
        while True:
            before = self._done
            try:
                return self._attempt(name, normal, inside, box, grid)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Outside the except block, so that the traceback no longer holds the tensors.
            self._done = before
            self._step_down(name)

    def _attempt(
        self, name: str, normal: Tensor, inside: Tensor, box: Box, grid: WorkingGrid
    ) -> ModalityRepresentation:
        rung = self.rung
        network = self.model.network.to(rung.device)
        network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        working = grid.to_working(normal.to(rung.device))
        blended = encode_tiles(
            network,
            working,
            self.model.card.network.modalities.index(name),
            roi=tile_shape(grid.shape, rung.tile, network.config.stride),
            overlap=self.overlap,
            precision=self.precision,
            results_device=rung.results_device,
            after_tile=self._after_tile(name),
        )
        native = grid.to_case(blended)
        inside = inside.to(native.device)
        # Outside its own brain mask a modality says nothing: zero is the sum's neutral element.
        native *= inside
        classes = len(self.model.card.network.classes)
        weight = native[classes] if native.shape[0] > classes else inside
        return ModalityRepresentation(name, native[:classes], weight, box)

    def _after_tile(self, name: str) -> Callable[[], None]:
        def report() -> None:
            self._done += 1
            self._progress(min(self._done, self._total), self._total, f"Encoding {name}")
            if self._cancelled():
                raise Cancelled

        return report

    def _step_down(self, name: str) -> None:
        free_memory(self.rung.device)
        below = next(self._ladder, None)
        if below is None:
            raise DeviceError(
                f"Memory ran out while encoding {name}, even with {self.rung.in_words()}: close other "
                "programs or use a machine with more memory."
            )
        step = f"Memory ran out with {self.rung.in_words()}; going on with {below.in_words()}."
        logger.warning(step)
        self.steps.append(step)
        if below.device != self.rung.device:
            self.precision = resolve_precision("auto", below.device)
        self.rung = below
        remaining = list(self._tiles)[list(self._tiles).index(name) :]
        self._total = self._done + sum(self._count(self._tiles[other]) for other in remaining)

    def _count(self, shape: tuple[int, int, int]) -> int:
        stride = self.model.card.network.stride
        return tile_count(shape, tile_shape(shape, self.rung.tile, stride), self.overlap)

    def finish(self) -> None:
        """Say that all is done, and leave the model on the CPU for whoever uses it next."""
        self.model.network.to("cpu")
        self._progress(self._total, self._total, "Encoded")
