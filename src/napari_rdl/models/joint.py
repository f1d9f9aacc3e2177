"""What the published joint networks share: their inputs put in order, and what only training asks them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from napari_rdl.models.orientation import to_axes
from napari_rdl.models.published import PublishedArchitecture


class Auxiliaries(NamedTuple):
    """What is supervised beside a subset's logits, all (N, J, D, H, W) class probabilities.

    Attributes
    ----------
    separate : tuple of Tensor
        Of each modality alone; empty where nobody asked.
    deep : tuple of Tensor
        Of each level, enlarged to full resolution.
    """

    separate: tuple[Tensor, ...]
    deep: tuple[Tensor, ...]


def oriented(images: Mapping[str, Tensor], config: PublishedArchitecture) -> tuple[Tensor, Tensor]:
    """Put a subset's images in a network's own order and along its own axes.

    Parameters
    ----------
    images : Mapping[str, Tensor]
        Modality -> (N, 1, X, Y, Z) in RAS+ order.

    Returns
    -------
    stacked : Tensor
        (N, M, D, H, W); zeros where a modality is absent.
    present : Tensor
        (N, M), bool.
    """
    one = next(iter(images.values()))
    absent = torch.zeros_like(one)
    stacked = torch.cat([images.get(name, absent) for name in config.inputs], 1)
    there = torch.tensor([name in images for name in config.inputs], device=one.device)
    return to_axes(stacked, config.axes), there.expand(len(one), -1)


def encode_present(encoders: Iterable[nn.Module], images: Tensor, wanted: Tensor) -> list[list[Tensor]]:
    """Pass each modality through its encoder; what no sample wants costs nothing and is zeros.

    Parameters
    ----------
    images : Tensor
        (N, M, D, H, W).
    wanted : Tensor
        (N, M), bool; at least one modality of one sample.

    Returns
    -------
    list of list of Tensor
        For each modality its features, level by level.
    """
    found = [
        encoder(images[:, index : index + 1]) if bool(wanted[:, index].any()) else None
        for index, encoder in enumerate(encoders)
    ]
    like = next(features for features in found if features is not None)
    return [
        [torch.zeros_like(level) for level in like] if features is None else features for features in found
    ]
