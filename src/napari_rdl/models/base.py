"""The face of a network: what segmentation, training and evaluation ask of it, whatever its method.

Two kinds of network answer for a subset of the modalities. A *separable* one says of each modality
alone what it adds to a sum; a subset is a sum, read. A *joint* one looks at a subset's images together,
once for every subset.

Grids: the *working grid* is that of the images given. The *term grid* is coarser by `patch` (p) along
each axis: its voxel (a, b, c) covers the working voxels from (a, b, c) * p on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from napari_rdl.models.patches import unfold


class SeparableNetwork(nn.Module, ABC):
    """Says of each modality, alone, what it adds to a sum; any subset is read from its sum.

    Attributes
    ----------
    config : Architecture
    patch : int
        Working voxels along each axis of a term voxel.
    linear : bool
        Whether a subset's logits are a sum of its modalities' logits over a positive weight that is
        common to all classes. A term is then J p^3 weighted logits and their weight, and nothing more:
        resampling, summing and reading commute, and the most probable class is that of the sum.
    """

    config: Any
    patch: int
    linear: bool

    @abstractmethod
    def terms(self, image: Tensor, modality: Tensor, where: Tensor | None = None) -> Tensor:
        """Return what each sample's modality adds to the sum.

        Parameters
        ----------
        image : Tensor
            (N, 1, D, H, W) normalised intensities, each edge divisible by ``config.stride``.
        modality : Tensor
            (N,) index of each sample's modality in ``config.modalities``.
        where : Tensor, optional
            (N, D/p, H/p, W/p) bool, the voxels that are asked for: what is returned elsewhere may be
            anything. All if left out.

        Returns
        -------
        Tensor
            (N, T, D/p, H/p, W/p) float32: J p^3 weighted logits (folded as by `patches.fold`), their
            positive weight, and whatever else a readout needs.
        """

    @abstractmethod
    def read_folded(self, total: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Turn a subset's sum of terms into logits that are still folded.

        Parameters
        ----------
        total : Tensor
            (N, T, ...) summed terms, float32; any axes may follow, and each place is read alone.
        dtype : torch.dtype, optional
            In which a readout is computed, where there is one; that of `total` if left out.

        Returns
        -------
        Tensor
            (N, J p^3, ...).
        """

    def read(self, total: Tensor) -> Tensor:
        """Return a subset's logits (N, J, D, H, W) from its sum of terms (N, T, D/p, H/p, W/p)."""
        return unfold(self.read_folded(total), self.patch)

    def readers(self) -> tuple[nn.Parameter, ...]:
        """Return the parameters that `read` uses; none where reading is a division."""
        return ()


class TrainedNetwork(SeparableNetwork):
    """What `napari_rdl.training` trains: a separable network that passes a whole batch at once.

    Attributes
    ----------
    deep_sets : Module or None
        The readout after the sum and what leads to it, which may learn at a rate of its own.
    """

    deep_sets: nn.Module | None

    @abstractmethod
    def forward(self, images: Tensor, present: Tensor, places: Tensor | None = None) -> BatchOutput:
        """Pass every present modality (B, M) of images (B, M, D, H, W) through the backbone.

        With `places` (B, V), terms are wanted at these term voxels only, with the axes (V, 1, 1).
        """


class BatchOutput(Protocol):
    """What a trained network says of a batch; all axes begin with (B, M)."""

    @property
    def features(self) -> tuple[Tensor, ...]:
        """Encoder features, shallow to deep (B, M, C_k, x/2^k, y/2^k, z/2^k)."""

    def terms(self, dtype: torch.dtype = ...) -> Tensor:
        """Return what is summed over modalities (B, M, T, x, y, z)."""


class Place(NamedTuple):
    """Where a tile lies in the volume that a subset's brains need; voxels of the working grid, RAS+."""

    start: tuple[int, int, int]
    whole: tuple[int, int, int]


class JointNetwork(nn.Module, ABC):
    """Looks at the images of a subset together; another subset is another pass.

    Attributes
    ----------
    config : Architecture
    placed : bool
        Whether it matters where a tile lies: `logits` is then told the `Place`.
    """

    config: Any
    placed: bool = False

    @abstractmethod
    def logits(self, images: Mapping[str, Tensor], *place: Place) -> Tensor:
        """Return the logits of the subset whose images these are.

        Parameters
        ----------
        images : Mapping[str, Tensor]
            Modality -> (N, 1, D, H, W) normalised intensities on one working grid, each edge divisible by
            ``config.stride``. What is not among them is absent.
        *place : Place
            Where the images were cut, for networks that are `placed`.

        Returns
        -------
        Tensor
            (N, J, D, H, W), or what `classes` makes them of.
        """

    def classes(self, blended: Tensor) -> Tensor:
        """Return class logits (J, D, H, W) from what `logits` said, tiles blended; they are that already."""
        return blended


Network = SeparableNetwork | JointNetwork
"""Either kind."""
