"""Cubes of voxels as channels, and back (Shi et al., CVPR 2016, for volumes)."""

from __future__ import annotations

from torch import Tensor


def fold(volume: Tensor, patch: int) -> Tensor:
    """Fold cubes of voxels into channels.

    Parameters
    ----------
    volume : Tensor
        (N, C, D, H, W), D, H and W divisible by `patch`.
    patch : int
        Edge p of a cube.

    Returns
    -------
    Tensor
        (N, C p^3, D/p, H/p, W/p); of a channel's p^3 places, the last axis changes fastest.
    """
    if patch == 1:
        return volume
    batch, channels, *space = volume.shape
    x, y, z = (size // patch for size in space)
    volume = volume.reshape(batch, channels, x, patch, y, patch, z, patch)
    return volume.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(batch, channels * patch**3, x, y, z)


def unfold(volume: Tensor, patch: int) -> Tensor:
    """Undo `fold`: (N, C p^3, x, y, z) -> (N, C, x p, y p, z p)."""
    if patch == 1:
        return volume
    batch, channels, x, y, z = volume.shape
    volume = volume.reshape(batch, channels // patch**3, patch, patch, patch, x, y, z)
    volume = volume.permute(0, 1, 5, 2, 6, 3, 7, 4)
    return volume.reshape(batch, -1, x * patch, y * patch, z * patch)


def at_places(volume: Tensor, places: Tensor) -> Tensor:
    """Return the voxels `places` (N, V), counted through each volume (N, C, x, y, z), as (N, C, V, 1, 1)."""
    rows = places[:, None].expand(-1, volume.shape[1], -1)
    return volume.flatten(2).gather(2, rows)[..., None, None]
