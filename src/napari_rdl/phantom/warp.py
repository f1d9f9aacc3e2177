"""From a head's coordinates to the template's: affine, smooth warp, ventricles, mass effect."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_rdl.phantom.fields import Canvas, SmoothField, ramp
from napari_rdl.phantom.settings import AnatomySettings
from napari_rdl.phantom.template import Template, load_template

_COARSE_MM = 5.0


class Warp:
    """From head coordinates (mm) to MNI coordinates (mm): affine, smooth warp, ventricles, mass effect."""

    def __init__(self, rng: np.random.Generator, settings: AnatomySettings) -> None:
        size = rng.uniform(*settings.scale) * rng.uniform(*settings.stretch, 3)
        angles = np.deg2rad(rng.uniform(-settings.rotation, settings.rotation, 3))
        matrix = np.eye(3)
        for axis, angle in enumerate(angles):
            turn = np.eye(3)
            i, j = [k for k in range(3) if k != axis]
            turn[i, i] = turn[j, j] = np.cos(angle)
            turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
            matrix = matrix @ turn
        sheared = np.eye(3)
        sheared[np.triu_indices(3, 1)] = rng.uniform(-settings.shear, settings.shear, 3)
        # Backwards: a larger head reads the template in smaller steps. The template's brain has its
        # middle near MNI (0, -18, 8).
        self.matrix = (matrix @ sheared @ np.diag(1 / size)).astype(np.float32)
        self.centre = np.array([0, -18, 8], np.float32)
        self.amplitude = float(rng.uniform(*settings.warp))
        self.fields = [SmoothField(rng, float(rng.uniform(*settings.warp_scale))) for _ in range(3)]
        self.ventricles = float(rng.uniform(*settings.ventricles))
        self.record = {
            "size": size.round(4).tolist(),
            "rotation": np.rad2deg(angles).round(3).tolist(),
            "warp_mm": self.amplitude,
            "ventricles_mm": self.ventricles,
        }

    def coarse(self, push: Push | None = None) -> tuple[Canvas, NDArray[np.float32]]:
        """Return a coarse canvas over the whole box and its MNI coordinates (3, x, y, z)."""
        canvas, points, smooth = self._lattice
        template = load_template()
        if push is not None:
            room = ramp(template.depth_at(self._undisturbed), -2, 12)
            return canvas, self._to_mni(points - push.displacement(canvas) * room + smooth, template)
        return canvas, self._undisturbed

    @cached_property
    def _lattice(self) -> tuple[Canvas, NDArray[np.float32], NDArray[np.float32]]:
        """The coarse canvas, its points and the smooth warp there, both (3, x, y, z) in mm."""
        canvas = Canvas.covering(_COARSE_MM)
        points = np.stack(np.meshgrid(*(canvas.axis(a) for a in range(3)), indexing="ij"))
        return canvas, points, np.stack([f.on(canvas) for f in self.fields]) * np.float32(self.amplitude)

    @cached_property
    def _undisturbed(self) -> NDArray[np.float32]:
        """MNI coordinates of the coarse canvas where nothing pushes."""
        _, points, smooth = self._lattice
        return self._to_mni(points + smooth, load_template())

    def _to_mni(self, points: NDArray[np.float32], template: Template) -> NDArray[np.float32]:
        mni = np.tensordot(self.matrix, points, axes=1) + self.centre[:, None, None, None]
        pull = np.stack([template.smooth(component, mni) for component in template.pull])
        return (mni + np.float32(self.ventricles) * pull).astype(np.float32)


@dataclass(frozen=True)
class Push:
    """Mass effect: tissue moves away from foci, most at their surface.

    Attributes
    ----------
    centres : NDArray
        (n, 3) head coordinates in mm.
    radii : NDArray
        (n,) in mm.
    amounts : NDArray
        (n,) displacement at the surface in mm.
    """

    centres: NDArray[np.float64]
    radii: NDArray[np.float64]
    amounts: NDArray[np.float64]

    def displacement(self, canvas: Canvas) -> NDArray[np.float32]:
        """Return the displacement (3, X, Y, Z) in mm, outwards."""
        total = np.zeros((3, *canvas.shape), np.float32)
        for centre, radius, amount in zip(self.centres, self.radii, self.amounts, strict=True):
            offsets = canvas.offsets(centre)
            distance = np.sqrt(sum(o**2 for o in offsets)) + np.float32(1e-3)
            size = np.where(distance < radius, distance / radius, np.exp((radius - distance) / (radius + 8)))
            for axis, offset in enumerate(offsets):
                total[axis] += np.float32(amount) * size * offset / distance
        return total
