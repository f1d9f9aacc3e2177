import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from napari_rdl.case import Grid, Native
from napari_rdl.case.geometry import resample_array, rotation_degrees


@st.composite
def affines(draw: st.DrawFn) -> np.ndarray:
    """Draw permutations, flips, rotations and anisotropic spacings."""
    order = draw(st.permutations(range(3)))
    signs = draw(st.lists(st.sampled_from([-1.0, 1.0]), min_size=3, max_size=3))
    spacing = draw(st.lists(st.floats(0.3, 6.0), min_size=3, max_size=3))
    angles = draw(st.lists(st.floats(-30, 30), min_size=3, max_size=3))
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ (np.eye(3)[:, list(order)] * signs * np.array(spacing))
    affine[:3, 3] = draw(st.lists(st.floats(-200, 200), min_size=3, max_size=3))
    return affine


shapes = st.tuples(*[st.integers(2, 7)] * 3)


@given(affines(), shapes)
@settings(max_examples=80, deadline=None)
def test_reorientation_keeps_each_voxel_in_its_place(affine: np.ndarray, shape: tuple[int, int, int]) -> None:
    native = Native.from_header(shape, affine, nib.Nifti1Header())
    array = np.arange(np.prod(shape)).reshape(shape)
    ras = native.from_native(array)
    assert ras.shape == native.grid.shape
    assert nib.aff2axcodes(native.grid.affine) == ("R", "A", "S")
    np.testing.assert_array_equal(native.to_native(ras), array)
    places = (
        np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1) @ affine[:3, :3].T + affine[:3, 3]
    )
    for axis in range(3):
        ras_index = np.stack(np.meshgrid(*map(np.arange, ras.shape), indexing="ij"), -1)
        ras_places = ras_index @ native.grid.affine[:3, :3].T + native.grid.affine[:3, 3]
        np.testing.assert_allclose(native.from_native(places[..., axis]), ras_places[..., axis], atol=1e-8)
    assert native.grid.voxel_ml == pytest.approx(abs(np.linalg.det(affine[:3, :3])) / 1000)
    assert np.prod(native.grid.spacing) / 1000 == pytest.approx(native.grid.voxel_ml)


@given(affines(), shapes)
@settings(max_examples=40, deadline=None)
def test_storage_order_makes_no_difference_between_grids(
    affine: np.ndarray, shape: tuple[int, int, int]
) -> None:
    one = Native.from_header(shape, affine, nib.Nifti1Header())
    stored = nib.as_closest_canonical(nib.Nifti1Image(np.zeros(shape, np.uint8), affine))
    two = Native.from_header(stored.shape, stored.affine, nib.Nifti1Header())
    assert one.grid.difference(two.grid) is None


def moved(grid: Grid, **change) -> Grid:
    affine = grid.affine.copy()
    affine[:3, 3] += change.get("shift", 0)
    affine[:3, :3] = change.get("turn", np.eye(3)) @ affine[:3, :3] * change.get("scale", 1.0)
    return Grid(change.get("shape", grid.shape), affine)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shape": (10, 10, 12)}, "shape 10 x 10 x 12 instead of 10 x 10 x 10"),
        ({"scale": 1.2}, "spacing 1.2 x 1.2 x 1.2 instead of 1 x 1 x 1 mm"),
        ({"shift": np.array([3.0, 4.0, 0.0])}, "centre shifted by 5 mm"),
        ({"turn": Rotation.from_euler("z", 10, degrees=True).as_matrix()}, "turned by 10.0 degrees"),
        ({"shift": np.array([0.2, 0.0, 0.0])}, "centre shifted by 0.2 mm"),
    ],
)
def test_a_difference_is_said_in_words(change: dict, words: str) -> None:
    grid = Grid((10, 10, 10), np.eye(4))
    assert words in grid.difference(moved(grid, **change))


@pytest.mark.parametrize("change", [{}, {"shift": np.array([0.01, 0, 0])}, {"scale": 1 + 1e-6}])
def test_rounding_is_no_difference(change: dict) -> None:
    grid = Grid((10, 10, 10), np.eye(4))
    assert grid.difference(moved(grid, **change)) is None


def test_rotation_is_the_largest_angle_between_axes() -> None:
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("x", 0.01, degrees=True).as_matrix()
    assert rotation_degrees(np.eye(4), turn) == pytest.approx(0.01, rel=1e-4)


def test_resampling_finds_the_same_places() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(8, 9, 10)).astype(np.float32)
    source = Grid(image.shape, np.eye(4))
    shifted = moved(source, shift=np.array([2.0, 0, -1.0]))
    result = resample_array(image, source, shifted, order=1, background=-3.0)
    np.testing.assert_array_equal(result[:6, :, 1:], image[2:, :, :-1])
    assert (result[6:] == -3).all()
    assert (result[:, :, 0] == -3).all()
    assert result.dtype == np.float32


def test_resampling_labels_makes_no_new_ones() -> None:
    labels = np.random.default_rng(0).choice(np.array([0, 1, 3], np.uint8), (8, 9, 10))
    target = moved(Grid(labels.shape, np.eye(4)), scale=0.7)
    result = resample_array(labels, Grid(labels.shape, np.eye(4)), target, order=0)
    assert set(np.unique(result)) <= {0, 1, 3}
    assert result.dtype == np.uint8
