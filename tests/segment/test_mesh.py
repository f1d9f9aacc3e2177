"""Regions as surfaces: where they lie, what they hold, that they are closed."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rdl.segment.mesh import region_meshes


def volume_mm3(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Gauss's theorem: a sixth of the sum of the triangles' triple products."""
    a, b, c = (vertices[faces[:, number]].astype(float) for number in range(3))
    return abs(float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum()) / 6)


def test_a_ball_keeps_its_place_and_its_volume_in_millimetres():
    spacing, centre, radius = (1.0, 1.0, 2.0), np.array([30.0, 25.0, 40.0]), 12.0
    axes = [np.arange(size) * step for size, step in zip((60, 50, 40), spacing, strict=True)]
    distance = np.sqrt(
        sum(
            (axis - middle) ** 2
            for axis, middle in zip(np.meshgrid(*axes, indexing="ij"), centre, strict=True)
        )
    )
    classes = np.select([distance < 6, distance < 9, distance < radius], [1, 3, 2], 0).astype(np.uint8)
    meshes = dict(region_meshes(classes, spacing))
    assert list(meshes) == ["WT", "TC", "ET"]
    vertices, faces = meshes["WT"]
    np.testing.assert_allclose(vertices.mean(axis=0), centre, atol=0.2)
    np.testing.assert_allclose(np.linalg.norm(vertices - centre, axis=1), radius, atol=1.2)
    assert volume_mm3(vertices - centre, faces) == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.06)
    # ET is a shell: its surface has an inside and an outside.
    shell, triangles = meshes["ET"]
    expected = 4 / 3 * np.pi * (9**3 - 6**3)
    assert volume_mm3(shell - centre, triangles) == pytest.approx(expected, rel=0.1)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    assert set(np.unique(edges, axis=0, return_counts=True)[1]) == {2}, "a closed surface"


def test_a_tumour_at_the_volumes_edge_is_closed_and_specks_have_no_surface():
    classes = np.zeros((10, 10, 10), np.uint8)
    assert dict(region_meshes(classes, (1, 1, 1))) == {}
    classes[0, 0, 0] = 3
    assert dict(region_meshes(classes, (1, 1, 1))) == {}
    classes[:5] = 2
    ((region, (vertices, faces)),) = region_meshes(classes, (1, 1, 1), smooth_mm=0)
    assert region == "WT"
    assert vertices.min() == -0.5
    assert volume_mm3(vertices, faces) == pytest.approx(500, rel=0.03)
