"""Volumes through a network: tiles that hold brain, blended where they overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional

from napari_rdl.models import JointNetwork, Place, SeparableNetwork
from napari_rdl.segment.devices import autocast

AfterTile = Callable[[str], object]
"""Called with the modality's name after each of its tiles; may raise `Cancelled`."""


@dataclass(frozen=True)
class Tiling:
    """How volumes are cut.

    Attributes
    ----------
    tile : int
        Edge of the cubes in voxels of the working grid; smaller where a volume is.
    overlap : float
        Share of a tile that overlaps its neighbour.
    precision : str
        ``float32``, ``bf16`` or ``fp16``.
    results_device : torch.device
        Where what the network says is kept.
    batch : int
        Tiles that pass together.
    """

    tile: int
    overlap: float
    precision: str
    results_device: torch.device
    batch: int = 1

    def count(self, shape: tuple[int, ...], stride: int) -> int:
        """Return into how many tiles a volume of `shape` is cut, empty ones among them."""
        return tile_count(shape, tile_shape(shape, self.tile, stride), self.overlap)


def tile_shape(shape: tuple[int, ...], tile: int, stride: int) -> tuple[int, ...]:
    """Return the tile for a volume of `shape`: no larger than needed, divisible by the network's stride."""
    return tuple(max(min(tile, -(-size // stride) * stride) // stride, 1) * stride for size in shape)


def tile_count(shape: tuple[int, ...], roi: tuple[int, ...], overlap: float) -> int:
    """Return into how many tiles `roi` a volume of `shape` is cut, empty ones among them."""
    count = 1
    for size, edge in zip(shape, roi, strict=True):
        count *= 1 + max(-(-(size - edge) // max(int(edge * (1 - overlap)), 1)), 0)
    return count


class Blend:
    """What a network says of a volume's tiles, weighted with a Gaussian and averaged where tiles overlap.

    As MONAI's ``sliding_window_inference`` does it, but for results on a coarser grid, and for batches
    of tiles from several volumes.

    Parameters
    ----------
    shape : tuple of int
        Of the volume, on the working grid.
    roi : tuple of int
        Of a tile.
    patch : int
        Working voxels along each axis of a voxel of the result; divides `shape` and `roi`.
    """

    def __init__(
        self, shape: tuple[int, ...], roi: tuple[int, ...], overlap: float, patch: int, device: torch.device
    ) -> None:
        self.roi = roi
        self._shape = shape
        self._patch = patch
        self._device = device
        missing = [max(edge - size, 0) for size, edge in zip(shape, roi, strict=True)]
        self._before = [amount // 2 // patch * patch for amount in missing]
        self._after = [amount - before for amount, before in zip(missing, self._before, strict=True)]
        padded = [max(size, edge) for size, edge in zip(shape, roi, strict=True)]
        self.whole: tuple[int, ...] = tuple(padded)
        self._padded = [size // patch for size in padded]
        steps = [
            edge if edge == size else max(int(edge * (1 - overlap)) // patch * patch, patch)
            for edge, size in zip(roi, padded, strict=True)
        ]
        self.places = _places(padded, roi, steps)
        self._importance = _importance([edge // patch for edge in roi], device)
        self._weight = torch.zeros(self._padded, device=device)
        self._sum: Tensor | None = None
        self._only: Tensor | None = None

    def pad(self, volume: Tensor, patch: int = 1) -> Tensor:
        """Return `volume` (D/p, H/p, W/p), grown with zeros to hold at least one tile."""
        sides = [
            side // patch for pair in zip(self._before[::-1], self._after[::-1], strict=True) for side in pair
        ]
        return functional.pad(volume, sides) if any(sides) else volume

    def terms_at(self, place: tuple[slice, ...]) -> tuple[slice, ...]:
        """Return where a tile lies in the result."""
        return tuple(slice(part.start // self._patch, part.stop // self._patch) for part in place)

    def add(self, place: tuple[slice, ...], said: Tensor | None) -> None:
        """Add what the network said (C, ...) of the tile at `place`; None for nothing at all."""
        if len(self.places) == 1:
            # Nothing to average with: kept as it is.
            self._only = None if said is None else said.to(self._device)
            return
        within = self.terms_at(place)
        self._weight[within] += self._importance
        if said is None:
            return
        if self._sum is None:
            self._sum = self._empty_like(said)
        self._sum[(slice(None), *within)].addcmul_(said.to(self._device), self._importance)

    def _empty_like(self, said: Tensor) -> Tensor:
        """Return zeros that lie in memory as what will be added does: by channel, or by voxel."""
        if said.stride(0) == 1:
            return torch.zeros((*self._padded, len(said)), device=self._device).movedim(-1, 0)
        return torch.zeros((len(said), *self._padded), device=self._device)

    def finish(self) -> Tensor:
        """Return the blended volume (C, D/p, H/p, W/p), float32."""
        blended = self._only if self._sum is None else self._sum.div_(self._weight)
        if blended is None:
            raise ValueError("No tile held anything.")
        inside = tuple(
            slice(before // self._patch, (before + size) // self._patch)
            for before, size in zip(self._before, self._shape, strict=True)
        )
        return blended[(slice(None), *inside)]


def _places(shape: Sequence[int], roi: Sequence[int], steps: Sequence[int]) -> list[tuple[slice, ...]]:
    """Return where tiles lie, a step apart, the last along each axis at its end."""
    along = [
        [slice(start, start + edge) for start in (*range(0, size - edge, step), size - edge)]
        for size, edge, step in zip(shape, roi, steps, strict=True)
    ]
    return list(product(*along))


def _importance(roi: Sequence[int], device: torch.device) -> Tensor:
    """Return the weight of each of a tile's voxels: a Gaussian of an eighth of the edges, at least 0.001.

    Written anew, to the bit: MONAI takes as long to be loaded as torch.
    """
    weight = torch.ones((), device=device)
    for edge in roi:
        x = torch.arange(-(edge - 1) / 2, (edge - 1) / 2 + 1, dtype=torch.float, device=device)
        weight = weight.unsqueeze(-1) * torch.exp(x**2 / (-2 * (0.125 * edge) ** 2))
    return weight.clamp_(min=max(float(weight.min()), 1e-3))


@dataclass(frozen=True)
class _Tile:
    name: str
    place: tuple[slice, ...]
    content: Tensor
    where: Tensor | None


def encode_tiles(
    network: SeparableNetwork,
    images: Mapping[str, Tensor],
    tiling: Tiling,
    after_tile: AfterTile,
    outside: Mapping[str, float] = MappingProxyType({}),
    where: Mapping[str, Tensor] = MappingProxyType({}),
) -> dict[str, Tensor]:
    """Pass modalities through a separable network, each alone.

    Tiles of several modalities share a batch where `tiling` has room for more than one.

    Parameters
    ----------
    images : Mapping[str, Tensor]
        Modality -> (D, H, W) normalised intensities on the working grid, 0 outside the brain, on the
        network's device.
    outside : Mapping[str, float]
        Modality -> what the network is to see outside the brain; the images are given less that. 0 if
        left out.
    where : Mapping[str, Tensor]
        Modality -> (D/p, H/p, W/p) bool, the voxels that are asked for: terms elsewhere may be anything.
        All of a modality that is left out.

    Returns
    -------
    dict of str to Tensor
        Modality -> (T, D/p, H/p, W/p) float32 terms on ``tiling.results_device``.
    """
    blends = {
        name: Blend(
            tuple(image.shape),
            tile_shape(tuple(image.shape), tiling.tile, network.config.stride),
            tiling.overlap,
            network.patch,
            tiling.results_device,
        )
        for name, image in images.items()
    }
    known: tuple[str, ...] = network.config.modalities

    def tiles() -> Iterator[_Tile]:
        for name, image in images.items():
            blend = blends[name]
            padded = blend.pad(image)
            asked = blend.pad(where[name], network.patch) if name in where else None
            for place in blend.places:
                content = padded[place]
                if content.any():
                    wanted = None if asked is None else asked[blend.terms_at(place)]
                    yield _Tile(name, place, content + outside.get(name, 0.0), wanted)
                else:
                    blend.add(place, None)
                    after_tile(name)

    with torch.inference_mode():
        for batch in _batches(tiles(), tiling.batch):
            stacked = torch.stack([tile.content for tile in batch])[:, None]
            stacked = stacked.contiguous(memory_format=torch.channels_last_3d)
            modality = torch.tensor([known.index(tile.name) for tile in batch], device=stacked.device)
            asked = [tile.where for tile in batch if tile.where is not None]
            wanted = torch.stack(asked).to(stacked.device) if len(asked) == len(batch) else None
            with autocast(stacked.device, tiling.precision):
                said = network.terms(stacked, modality, wanted)
            for tile, terms in zip(batch, said.float(), strict=True):
                blends[tile.name].add(tile.place, terms)
                after_tile(tile.name)
        return {name: blend.finish() for name, blend in blends.items()}


def joint_tiles(
    network: JointNetwork,
    images: Mapping[str, Tensor],
    tiling: Tiling,
    after_tile: Callable[[], object],
    outside: Mapping[str, float] = MappingProxyType({}),
) -> Tensor:
    """Pass a subset's images (D, H, W), which share one grid, through a joint network.

    Parameters
    ----------
    outside : Mapping[str, float]
        As of `encode_tiles`.

    Returns
    -------
    Tensor
        (J, D, H, W) float32 logits on ``tiling.results_device``; 0 where no tile held brain.
    """
    shape = tuple(next(iter(images.values())).shape)
    roi = tile_shape(shape, tiling.tile, network.config.stride)
    blend = Blend(shape, roi, tiling.overlap, 1, tiling.results_device)
    padded = {name: blend.pad(image) for name, image in images.items()}
    with torch.inference_mode():
        for place in blend.places:
            contents = {name: image[place][None, None] for name, image in padded.items()}
            if any(bool(content.any()) for content in contents.values()):
                seen = {name: content + outside.get(name, 0.0) for name, content in contents.items()}
                where = [Place(_three([part.start for part in place]), _three(blend.whole))]
                with autocast(next(iter(seen.values())).device, tiling.precision):
                    said = network.logits(seen, *(where if network.placed else ()))
                blend.add(place, said[0].float())
            else:
                blend.add(place, None)
            after_tile()
        return network.classes(blend.finish())


def _three(sizes: Sequence[int]) -> tuple[int, int, int]:
    x, y, z = sizes
    return x, y, z


def _batches(tiles: Iterable[_Tile], size: int) -> Iterator[list[_Tile]]:
    """Group tiles that follow each other and have one shape, at most `size` of them."""
    for _, same in groupby(tiles, key=lambda tile: tile.content.shape):
        batch: list[_Tile] = []
        for tile in same:
            batch.append(tile)
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield batch
