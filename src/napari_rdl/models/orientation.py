"""Arrays whose axes run as another's code reads its files, and back to RAS+."""

from __future__ import annotations

from torch import Tensor

from napari_rdl.models.published import PLACES


def to_axes(volume: Tensor, codes: str) -> Tensor:
    """Return a volume (..., X, Y, Z) in RAS+ order with axes that run as `codes` says."""
    first = volume.ndim - 3
    order = [first + PLACES[code][0] for code in codes]
    turned = [first + axis for axis, code in enumerate(codes) if PLACES[code][1]]
    volume = volume.permute(*range(first), *order)
    return volume.flip(turned) if turned else volume


def from_axes(volume: Tensor, codes: str) -> Tensor:
    """Undo `to_axes`."""
    first = volume.ndim - 3
    turned = [first + axis for axis, code in enumerate(codes) if PLACES[code][1]]
    if turned:
        volume = volume.flip(turned)
    order = [0, 0, 0]
    for axis, code in enumerate(codes):
        order[PLACES[code][0]] = first + axis
    return volume.permute(*range(first), *order)
