"""What happens when memory runs out: smaller tiles, then results in main memory, then the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

SMALLEST_TILE = 32


@dataclass(frozen=True)
class Rung:
    """One way of running: where, with which tiles, and where the results are kept."""

    device: torch.device
    tile: int
    results_device: torch.device

    def in_words(self) -> str:
        """Return this rung as a user reads it."""
        kept = "" if self.results_device == self.device else f", results on {self.results_device}"
        return f"tiles of {self.tile} voxels on {self.device}{kept}"


def rungs(device: torch.device, tile: int) -> Iterator[Rung]:
    """Yield ways of running from the one asked for down to the most frugal."""
    cpu = torch.device("cpu")
    tiles = [tile]
    while tiles[-1] // 2 >= SMALLEST_TILE:
        tiles.append(tiles[-1] // 2)
    for size in tiles:
        yield Rung(device, size, device)
    if device != cpu:
        yield Rung(device, tiles[-1], cpu)
        for size in tiles:
            yield Rung(cpu, size, cpu)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether `error` says that memory ran out, on any device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    words = str(error).lower()
    # MPS, the CPU's allocator, cuDNN and NumPy in a loader's worker raise plain RuntimeErrors.
    signs = ("out of memory", "can't allocate memory", "cudnn_status_alloc_failed", "unable to allocate")
    return isinstance(error, RuntimeError) and any(sign in words for sign in signs)


def free_memory(device: torch.device) -> None:
    """Give cached blocks back to the device before the next attempt."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
