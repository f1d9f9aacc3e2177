"""Between grids: what is resampled in part is what the whole would be, and SciPy agrees on the whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator

from napari_rdl.segment.working_grid import WorkingGrid


def grid_of(start: tuple[int, int, int], size: tuple[int, int, int], spacing: float) -> WorkingGrid:
    x, y, z = (slice(first, first + count) for first, count in zip(start, size, strict=True))
    return WorkingGrid.covering((x, y, z), (1.0, 1.5, 1.0), (spacing,) * 3)


def test_the_way_back_is_trilinear_interpolation_between_centres() -> None:
    grid = grid_of((3, 2, 5), (14, 9, 11), 2.0)
    volume = torch.randn(grid.shape, generator=torch.Generator().manual_seed(0))
    work = [(first + np.arange(count) + 0.5) * 2 for first, count in zip(grid.start, grid.shape, strict=True)]
    fine = [
        np.clip((np.arange(part.start, part.stop) + 0.5) * step, mm[0], mm[-1])
        for part, step, mm in zip(grid.box, grid.case_spacing, work, strict=True)
    ]
    expected = RegularGridInterpolator(work, volume.numpy())(np.stack(np.meshgrid(*fine, indexing="ij"), -1))
    np.testing.assert_allclose(grid.to_case(volume).numpy(), expected, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    start=st.tuples(*[st.integers(0, 6)] * 3),
    size=st.tuples(*[st.integers(4, 12)] * 3),
    spacing=st.sampled_from([0.7, 1.6, 2.0, 3.1]),
    data=st.data(),
)
def test_a_part_is_that_of_the_whole_and_beyond_it_only_others_speak(start, size, spacing, data) -> None:
    grid = grid_of(start, size, spacing)
    ends = [
        sorted(data.draw(st.lists(st.integers(0, count), min_size=2, max_size=2, unique=True)))
        for count in grid.shape
    ]
    x, y, z = (slice(first, last) for first, last in ends)
    volume = torch.randn((2, *grid.shape), generator=torch.Generator().manual_seed(1))
    place, needed = grid.reached_by((x, y, z))
    found = grid.to_case_part(volume[(slice(None), *needed)], place, needed)
    whole = grid.to_case(volume)
    torch.testing.assert_close(found, whole[(slice(None), *place)], atol=1e-5, rtol=1e-5)
    changed = volume.clone()
    changed[:, x, y, z] += 1000
    moved = (grid.to_case(changed) - whole).abs().amax(0) > 0.01
    moved[place] = False
    assert not bool(moved.any())


@pytest.mark.parametrize("where", [slice(0, 1), slice(2, 3)])
def test_no_voxel_of_the_case_is_lost_at_the_ends(where: slice) -> None:
    grid = grid_of((0, 0, 0), (6, 6, 6), 2.0)
    place, _ = grid.reached_by((where, slice(0, 2), slice(0, 3)))
    assert place[0] == (slice(0, 3) if where.start == 0 else slice(3, 6))
