"""Random changes to whole batches of crops, on the device that trains.

MONAI's transforms change one crop after another, most of them on the CPU: a GPU would wait for them
longer than it computes. Here a batch is cut, turned and repainted where it will be used. What is drawn
comes from each crop's own stream of random numbers, so a crop does not depend on who shares its batch, but
for a tumour that is carried over from another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from napari_rdl.training.config import AugmentConfig

Triple = tuple[int, int, int]

LEVELS = 20.0
"""Steps of a stored intensity in one standard deviation."""

MIDDLE = 80
"""Stored value of the mean: what is kept reaches from -4 to 8.7 standard deviations."""

CONTROL_MM = 24
"""Distance in voxels between the points that an elastic change moves."""


@dataclass(frozen=True)
class Volume:
    """A prepared patient in the device's memory, a byte a voxel.

    Attributes
    ----------
    images : Tensor
        (M, X, Y, Z) uint8: 0 outside the brain, else the z-score times `LEVELS` plus `MIDDLE`.
    classes : Tensor
        (X, Y, Z) uint8 class indices.
    """

    images: Tensor
    classes: Tensor

    @classmethod
    def of(cls, images: np.ndarray, classes: np.ndarray, device: torch.device) -> Volume:
        """Store z-scores (M, X, Y, Z), zero outside the brain, and class indices (X, Y, Z)."""
        moved = torch.from_numpy(images).to(device)
        stored = (moved.float() * LEVELS + MIDDLE).round().clamp(1, 255).to(torch.uint8)
        stored = stored * (moved != 0)
        return cls(stored, torch.from_numpy(classes).to(device))

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self.images.nbytes + self.classes.nbytes


class BatchAugmentation:
    """Cuts crops out of volumes, turned, bent and mirrored; then repaints each modality on its own."""

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config

    def cut(
        self, volume: Volume, centre: np.ndarray, size: Triple, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Cut one crop.

        Parameters
        ----------
        volume : Volume
            Where from.
        centre : ndarray
            (3,) voxel in the crop's middle; it may lie anywhere.
        size : tuple of int
            Voxels of the crop.
        rng : Generator
            Source of all that is drawn.

        Returns
        -------
        images, labels : Tensor
            (M, *size) float32 z-scores, zero outside the brain, and (*size) int64.
        """
        config, device = self.config, volume.images.device
        matrix = np.diag(np.where(rng.random(3) < config.flip, -1.0, 1.0))
        bend = None
        if rng.random() < config.affine:
            matrix = matrix @ _rotation(np.radians(rng.uniform(-config.rotation, config.rotation, 3)))
            matrix = matrix * rng.uniform(1 - config.zoom, 1 + config.zoom)
        if rng.random() < config.elastic:
            points = [edge // CONTROL_MM + 3 for edge in size]
            bend = torch.from_numpy(rng.normal(0, config.elastic_voxels, (1, 3, *points)).astype(np.float32))
        # Only the part of the volume that the crop can reach is looked at.
        reach = (
            np.abs(matrix) @ (np.asarray(size) / 2)
            + (3 * config.elastic_voxels if bend is not None else 0)
            + 2
        )
        shape = np.asarray(volume.classes.shape)
        low = np.clip(np.floor(centre - reach), 0, shape - 1).astype(int)
        high = np.clip(np.ceil(centre + reach) + 1, low + 1, shape).astype(int)
        box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))

        axes = [torch.arange(edge, dtype=torch.float32, device=device) - (edge - 1) / 2 for edge in size]
        offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
        where = offsets @ torch.from_numpy(matrix.T.astype(np.float32)).to(device)
        where = where + torch.from_numpy((centre - low).astype(np.float32)).to(device)
        if bend is not None:
            smooth = functional.interpolate(bend.to(device), size=size, mode="trilinear", align_corners=True)
            where = where + smooth[0].movedim(0, -1)
        extent = torch.tensor([max(int(b - a) - 1, 1) for a, b in zip(low, high, strict=True)], device=device)
        grid = (2 * where / extent - 1).flip(-1)[None]  # grid_sample counts x from the last axis

        stored = volume.images[(slice(None), *box)]
        known = stored > 0
        scores = torch.where(known, (stored.float() - MIDDLE) / LEVELS, 0.0)
        images = functional.grid_sample(scores[None], grid, mode="bilinear", align_corners=True)[0]
        sharp = torch.cat((known.float(), volume.classes[box][None].float()))
        sharp = functional.grid_sample(sharp[None], grid, mode="nearest", align_corners=True)[0]
        brain, labels = sharp[:-1] > 0, sharp[-1].to(torch.int64)
        # A brain voxel of the mean intensity is no background.
        images = torch.where(brain, torch.where(images == 0, 1e-3, images), 0.0)
        return images, labels

    def carry(self, images: Tensor, labels: Tensor, rngs: Sequence[np.random.Generator]) -> None:
        """Place tumours of one crop of a batch into another, in place (after CarveMix, Zhang et al. 2021).

        A tumour comes with a margin of what surrounds it and passes smoothly into its new place. In each
        modality it is shifted by what separates the margin from the tissue that lies there, since a
        z-score's zero is another tissue in each head.

        Parameters
        ----------
        images : Tensor
            (B, M, X, Y, Z).
        labels : Tensor
            (B, X, Y, Z) int64.
        rngs : sequence of Generator
            One a crop.
        """
        if not self.config.carry:
            return
        sources, truths = images.clone(), labels.clone()
        donors = [index for index, found in enumerate((truths > 0).flatten(1).sum(1).tolist()) if found > 200]
        for index, rng in enumerate(rngs):
            others = [donor for donor in donors if donor != index]
            if rng.random() >= self.config.carry or not others:
                continue
            donor = int(rng.choice(others))
            tumour = truths[donor] > 0
            margin = 2 * int(rng.integers(1, 6)) + 1
            taken = functional.max_pool3d(tumour[None, None].float(), margin, 1, margin // 2)
            both = (sources[donor] != 0).all(0) & (sources[index] != 0).all(0)
            taken = taken * both
            blend = functional.avg_pool3d(taken, 5, 1, 2, count_include_pad=False)[0, 0] * taken[0, 0]
            around = taken[0, 0].bool() & ~tumour & (truths[index] == 0)
            count = around.sum()
            step = ((sources[index] - sources[donor]) * around).sum((1, 2, 3)) / count.clamp(min=1)
            step = torch.where(count > 50, step, 0.0)
            moved = sources[donor] + step[:, None, None, None]
            images[index] = torch.lerp(images[index], moved, blend)
            labels[index] = torch.where(taken[0, 0] > 0, truths[donor], labels[index])

    def repaint(self, images: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        """Change intensities within the brain, each modality of each crop on its own.

        Parameters
        ----------
        images : Tensor
            (B, M, X, Y, Z); zero is background and stays so.
        rngs : sequence of Generator
            One a crop.

        Returns
        -------
        Tensor
            (B, M, X, Y, Z).
        """
        config, device = self.config, images.device
        rows = images.flatten(0, 1)
        brain = rows != 0
        per, count = images.shape[1], len(rows)

        def draw(low: float, high: float) -> Tensor:
            values = np.concatenate([rng.uniform(low, high, per) for rng in rngs])
            return torch.from_numpy(values.astype(np.float32)).to(device)[:, None, None, None]

        def chosen(chance: float) -> Tensor:
            return draw(0, 1) < chance

        size = brain.sum((1, 2, 3), keepdim=True).clamp(min=1)
        if config.gamma:
            low = rows.amin((1, 2, 3), keepdim=True)
            span = (rows.amax((1, 2, 3), keepdim=True) - low).clamp(min=1e-3)
            part = ((rows - low) / span).clamp(0, 1)
            power, turned = torch.exp2(draw(-0.8, 0.8)), chosen(0.3)
            # A curve over what is dark, or over what is bright (nnU-Net's inverted gamma).
            part = torch.where(turned, 1 - part, part).clamp(min=1e-6).pow(power)
            curved = torch.where(turned, 1 - part, part)
            mean, spread = _moments(rows, brain, size)
            curved_mean, curved_spread = _moments(curved, brain, size)
            curved = (curved - curved_mean) / curved_spread.clamp(min=1e-4) * spread + mean
            rows = torch.where(chosen(config.gamma), curved, rows)
        if config.bias:
            points = np.stack([rng.normal(0, 0.12, (per, 4, 4, 4)) for rng in rngs]).reshape(
                count, 1, 4, 4, 4
            )
            field = torch.from_numpy(points.astype(np.float32)).to(device)
            field = functional.interpolate(field, size=rows.shape[1:], mode="trilinear", align_corners=True)
            # A field multiplies, so z-scores are lifted for it.
            lifted = (rows + 3) * field[:, 0].exp() - 3
            rows = torch.where(chosen(config.bias), lifted, rows)
        rows = self._blurred(rows, brain, rngs, per)
        if config.noise:
            level = draw(0, 0.25) * chosen(config.noise)
            drawn = [torch.Generator(device).manual_seed(int(rng.integers(2**62))) for rng in rngs]
            noise = [torch.randn(images.shape[1:], generator=one, device=device) for one in drawn]
            rows = rows + torch.cat(noise) * level
        rows = rows * (1 + draw(-1, 1) * config.scale) + draw(-1, 1) * config.shift
        rows = torch.where(brain, torch.where(rows == 0, 1e-3, rows), 0.0)
        return rows.reshape(images.shape)

    def _blurred(self, rows: Tensor, brain: Tensor, rngs: Sequence[np.random.Generator], per: int) -> Tensor:
        """Smooth some rows, and show others as thick slices would."""
        chances = np.concatenate([rng.random((per, 2)) for rng in rngs])
        amounts = np.concatenate([rng.random((per, 2)) for rng in rngs])
        for index, ((blur, thick), (sigma, factor)) in enumerate(zip(chances, amounts, strict=True)):
            if blur < self.config.blur:
                rows[index] = _smooth(rows[index], brain[index], 0.5 + sigma)
            if thick < self.config.thick:
                axis = int(3 * factor)
                coarse = list(rows.shape[1:])
                coarse[axis] = max(int(coarse[axis] / (2 + 3 * (3 * factor - axis))), 1)
                row = functional.interpolate(rows[index][None, None], size=coarse, mode="area")
                rows[index] = functional.interpolate(row, size=rows.shape[1:], mode="trilinear")[0, 0]
        return rows


def _rotation(angles: np.ndarray) -> np.ndarray:
    """Return the rotation by three angles about x, y, z, one after the other."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = [other for other in range(3) if other != axis]
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix


def _moments(rows: Tensor, brain: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """Return each row's mean and standard deviation within the brain, (N, 1, 1, 1) each."""
    mean = (rows * brain).sum((1, 2, 3), keepdim=True) / size
    variance = ((rows - mean).square() * brain).sum((1, 2, 3), keepdim=True) / size
    return mean, variance.sqrt()


def _smooth(volume: Tensor, brain: Tensor, sigma: float) -> Tensor:
    """Smooth within the brain by a Gaussian of `sigma` voxels, one axis after the other."""
    radius = int(np.ceil(2.5 * sigma))
    places = torch.arange(-radius, radius + 1, device=volume.device, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (places / sigma).square())
    pair = torch.stack((torch.where(brain, volume, 0.0), brain.float()))[:, None]
    for axis in range(3):
        shape = [1, 1, 1, 1, 1]
        shape[axis + 2] = len(kernel)
        padding = [0, 0, 0]
        padding[axis] = radius
        pair = functional.conv3d(pair, kernel.reshape(shape), padding=padding)
    return torch.where(brain, pair[0, 0] / pair[1, 0].clamp(min=1e-6), 0.0)
