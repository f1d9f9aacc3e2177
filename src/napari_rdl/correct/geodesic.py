"""How far voxels are from a stroke for somebody who walks in like tissue: edges make the way longer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.graph import MCP_Geometric

from napari_rdl.correct.lattice import block_means, lattice_step


class Geodesic:
    """Distances in mm through an image, each mm counted ``1 + steepness * |gradient|`` times.

    They are found on a lattice of about 2 mm, which is quick, and interpolated linearly.

    Parameters
    ----------
    images : sequence of ndarray of float32, shape (X, Y, Z)
        Normalised intensities; edges of any of them count.
    inside : ndarray of bool, shape (X, Y, Z)
        Where one may walk.
    spacing : tuple of float
        Voxel size in mm.
    steepness : float
        Further mm for each standard deviation that an intensity changes along the way.
    """

    def __init__(
        self,
        images: Sequence[NDArray[np.float32]],
        inside: NDArray[np.bool_],
        spacing: tuple[float, float, float],
        steepness: float,
    ) -> None:
        self._step = lattice_step(spacing)
        self._spacing = tuple(float(size * step) for size, step in zip(spacing, self._step, strict=True))
        walkable = block_means(inside.astype(np.float32), self._step)
        edges = np.zeros(walkable.shape, np.float32)
        for image in images:
            # Brain alone is averaged, so that the brain's rim is no edge.
            mean = block_means(np.where(inside, image, np.float32(0)), self._step)
            mean /= np.maximum(walkable, 1e-3)
            steps = np.gradient(mean, *self._spacing)
            edges = np.maximum(edges, np.sqrt(sum(step**2 for step in steps)))
        self._walked: dict[tuple[int, float], tuple[frozenset[int], NDArray[np.float32]]] = {}
        self._costs = np.where(walkable > 0, 1 + steepness * edges, -1).astype(np.float64)

    def distances(self, name: int, starts: NDArray[np.integer], limit: float) -> NDArray[np.float32]:
        """Return each lattice voxel's distance from the nearest of `starts`, at most `limit`.

        The last answer for each name is remembered: where starts were added since, their ways alone are
        walked.

        Parameters
        ----------
        name : int
            What the starts are of.
        starts : ndarray of int, shape (n, 3)
            Voxel indices; those where one may not walk lead nowhere.
        limit : float
            In mm.
        """
        nodes = np.ravel_multi_index(tuple((starts // self._step).T), self._costs.shape)
        wanted = frozenset(nodes[self._costs.reshape(-1)[nodes] > 0].tolist())
        known, far = self._walked.get((name, limit), (frozenset(), None))
        if far is None or not known <= wanted:
            known, far = frozenset(), np.full(self._costs.shape, limit, np.float32)
        if wanted > known:
            far = self._walk(np.array(sorted(wanted - known)), limit, far)
        self._walked[name, limit] = wanted, far
        return far

    def _walk(
        self, nodes: NDArray[np.integer], limit: float, before: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the lesser of the distances from `nodes` and those before."""
        starts = np.stack(np.unravel_index(nodes, self._costs.shape), 1)
        # A way is never shorter than the straight line: what is further need not be searched.
        span = np.ceil(limit / np.array(self._spacing)).astype(int)
        low = np.maximum(starts.min(0) - span, 0)
        box = tuple(
            slice(int(first), int(last)) for first, last in zip(low, starts.max(0) + span + 1, strict=True)
        )
        away = np.ones(before[box].shape, bool)
        away[tuple((starts - low).T)] = False
        straight = ndimage.distance_transform_edt(away, self._spacing)
        walk = MCP_Geometric(np.where(straight < limit, self._costs[box], -1), sampling=self._spacing)
        found, _ = walk.find_costs(starts - low)
        far = before.copy()
        far[box] = np.minimum(found, far[box])
        return far

    def at(self, distances: NDArray[np.float32], voxels: NDArray[np.integer]) -> NDArray[np.float32]:
        """Interpolate what `distances` returned at voxels (n, 3)."""
        positions = (voxels + 0.5) / self._step - 0.5
        found = ndimage.map_coordinates(distances, positions.T, order=1, mode="nearest")
        return np.asarray(found, np.float32)

    def reach(self, distances: NDArray[np.float32], limit: float) -> tuple[slice, slice, slice] | None:
        """Return the box of voxels that may be nearer than `limit`; None where there are none."""
        near = np.argwhere(distances < limit)
        if not len(near):
            return None
        # Interpolation reaches one lattice voxel further.
        low = np.maximum(near.min(0) - 1, 0) * self._step
        high = (near.max(0) + 2) * self._step
        x, y, z = (slice(int(first), int(last)) for first, last in zip(low, high, strict=True))
        return x, y, z
