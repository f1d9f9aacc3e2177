"""Random changes to crops, by MONAI's transforms."""

from __future__ import annotations

import math

import numpy as np
from monai.transforms import (
    Compose,
    RandAdjustContrast,
    RandAffined,
    RandBiasField,
    RandGaussianNoise,
    RandGaussianSmooth,
    RandScaleIntensity,
    RandShiftIntensity,
)
from numpy.typing import NDArray

from napari_rdl.training.config import AugmentConfig

Triple = tuple[int, int, int]


class Augmentation:
    """Mirroring and small affine changes of all modalities together; intensities of each alone."""

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config
        angle = math.radians(config.rotation)
        self._affine = RandAffined(
            keys=("images", "labels"),
            prob=1.0,
            rotate_range=(angle, angle, angle),
            scale_range=(config.zoom, config.zoom, config.zoom),
            mode=("bilinear", "nearest"),
            padding_mode="zeros",
        )
        # Curve, bias and blur come first: they stand for tissue and scanner; noise is added by the scanner.
        steps = [
            (config.gamma, RandAdjustContrast(prob=config.gamma, gamma=(0.7, 1.5), retain_stats=True)),
            (config.bias, RandBiasField(prob=config.bias, degree=3, coeff_range=(0.0, 0.08))),
            (config.blur, RandGaussianSmooth((0.25, 1.0), (0.25, 1.0), (0.25, 1.0), prob=config.blur)),
            (config.noise, RandGaussianNoise(prob=config.noise, std=0.15)),
            (config.scale, RandScaleIntensity(factors=config.scale, prob=1.0)),
            (config.shift, RandShiftIntensity(offsets=config.shift, prob=1.0)),
        ]
        self._intensity = Compose([transform for amount, transform in steps if amount])

    def size_to_read(self, crop: Triple) -> Triple:
        """Return how large a crop must be read, so that turning and shrinking brings no empty corners."""
        if not self.config.affine:
            return crop
        margin = (1 + self.config.zoom) * (1 + 0.5 * math.sin(math.radians(self.config.rotation)))
        x, y, z = (2 * math.ceil(edge * margin / 2) for edge in crop)
        return x, y, z

    def __call__(
        self, images: NDArray[np.float32], labels: NDArray[np.uint8], crop: Triple, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.bool_]]:
        """Change a crop.

        Parameters
        ----------
        images : ndarray
            (M, X, Y, Z), of the size that `size_to_read` asks for; zero is background.
        labels : ndarray
            (X, Y, Z) class indices.
        crop : tuple of int
            Size to return.
        rng : Generator
            Source of all that is drawn.

        Returns
        -------
        images, labels : ndarray
            (M, *crop) and (*crop).
        mirrored : ndarray
            (3,) True for axes that now run the other way.
        """
        if self.config.affine and rng.random() < self.config.affine:
            images, labels = self._turn(images, labels, crop, rng)
        elif images.shape[1:] != crop:
            corner = [(size - edge) // 2 for size, edge in zip(images.shape[1:], crop, strict=True)]
            middle = tuple(slice(start, start + edge) for start, edge in zip(corner, crop, strict=True))
            images, labels = images[(slice(None), *middle)], labels[middle]
        mirrored = np.array([rng.random() < self.config.flip for _ in range(3)])
        axes = tuple(np.flatnonzero(mirrored).tolist())
        images = np.flip(images, tuple(axis + 1 for axis in axes))
        labels = np.ascontiguousarray(np.flip(labels, axes))
        return np.stack([self._repaint(image, rng) for image in images]), labels, mirrored

    def _turn(
        self, images: NDArray[np.float32], labels: NDArray[np.uint8], crop: Triple, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        self._affine.set_random_state(_seed(rng))
        self._affine.rand_affine.rand_affine_grid.set_random_state(_seed(rng))
        self._affine.rand_affine.spatial_size = crop
        turned = self._affine({"images": images, "labels": labels[None].astype(np.float32)})
        return np.asarray(turned["images"]), np.asarray(turned["labels"])[0].astype(np.uint8)

    def _repaint(self, image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Change one modality's intensities within its brain."""
        brain = image != 0
        seed = _seed(rng)
        if not self._intensity.transforms or not brain.any():
            return np.ascontiguousarray(image)
        # A bias field multiplies, so intensities must not be negative: z-scores are lifted for it.
        lift = float(image.min())
        self._intensity.set_random_state(seed)
        painted = np.asarray(self._intensity(np.ascontiguousarray(image - lift)[None]))[0] + lift
        return np.where(brain, painted, 0).astype(np.float32)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))
