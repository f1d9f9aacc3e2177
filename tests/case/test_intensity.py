from pathlib import Path
from time import perf_counter

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_rdl.case import brain_mask, load_case, normalize
from napari_rdl.case.intensity import replace_nonfinite


def ball(size: int = 20) -> np.ndarray:
    axes = np.meshgrid(*[np.linspace(-1, 1, size)] * 3, indexing="ij")
    return sum(axis**2 for axis in axes) < 0.6


def brain(background: float, scale: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    inside = ball()
    values = np.random.default_rng(seed).uniform(1, 100, inside.shape) * scale
    return np.where(inside, values + background, background).astype(np.float32), inside


@given(background=st.floats(-1000, 1000, width=32), scale=st.floats(0.1, 100), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_mask_is_what_differs_from_the_background(background: float, scale: float, seed: int) -> None:
    image, inside = brain(background, scale, seed)
    np.testing.assert_array_equal(brain_mask(image), inside)


def test_rounding_noise_around_the_background_is_no_brain() -> None:
    image, inside = brain(-0.4, 0.05)
    image[~inside] += np.random.default_rng(0).normal(0, 1e-7, (~inside).sum()).astype(np.float32)
    image[:, :, 0] = image[0, 0, 0]
    np.testing.assert_array_equal(brain_mask(image), inside)


def test_a_head_in_noisy_air_is_parted_from_it() -> None:
    image, inside = brain(0)
    image = image + np.random.default_rng(0).rayleigh(1.5, image.shape).astype(np.float32)
    image[inside] += 50
    assert (brain_mask(image) == inside).mean() > 0.95


def test_a_flat_image_has_no_brain() -> None:
    assert not brain_mask(np.full((4, 5, 6), 3, np.float32)).any()


def test_normalised_intensities() -> None:
    image, inside = brain(0)
    result = normalize(image, inside)
    assert result.dtype == np.float32
    assert (result[~inside] == 0).all()
    assert result[inside].mean() == pytest.approx(0, abs=1e-4)
    assert result[inside].std() == pytest.approx(1, abs=1e-4)


def test_outliers_are_clipped_after_the_score() -> None:
    image, inside = brain(0)
    image[10, 10, 10] = 1e5
    result = normalize(image, inside)
    assert result[10, 10, 10] == 5.0
    assert result.max() == 5.0


@given(gain=st.floats(0.01, 1000), offset=st.floats(-500, 500))
@settings(max_examples=40, deadline=None)
def test_gain_and_offset_of_the_scanner_do_not_matter(gain: float, offset: float) -> None:
    image, inside = brain(0)
    other = (image.astype(np.float64) * gain + offset * gain).astype(np.float32)
    np.testing.assert_allclose(normalize(other, inside), normalize(image, inside), atol=2e-3)


@pytest.mark.parametrize("mask", [np.zeros((3, 3, 3), bool), np.ones((3, 3, 3), bool)], ids=["empty", "flat"])
def test_nothing_to_normalise_gives_zeros(mask: np.ndarray) -> None:
    assert not normalize(np.full((3, 3, 3), 7, np.float32), mask).any()


def test_not_finite_voxels_without_a_border_value_become_zero_or_the_smallest() -> None:
    image = np.random.default_rng(0).uniform(5, 9, (6, 6, 6)).astype(np.float32)
    image[2, 2, 2] = np.nan
    assert replace_nonfinite(image) == (1, 0.0)
    assert image[2, 2, 2] == 0
    image -= 20
    image[2, 2, 2] = np.inf
    count, value = replace_nonfinite(image)
    assert (count, value) == (1, image.min())


def test_real_masks(real_data: Path) -> None:
    folder = real_data / "brats_2013_pat0001_1"
    case = load_case(folder)
    truth = case.native.from_native(nib.load(folder / "brainmask.nii.gz").get_fdata() > 0.5)
    for image in case.images.values():
        mask = brain_mask(image)
        assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.998


def test_made_masks(brats_folder: Path) -> None:
    """A made patient from its files: the brain is an ellipsoid, in every modality."""
    case = load_case(brats_folder)
    axes = [np.linspace(-1, 1, size) for size in case.grid.shape]
    truth = sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")) < 0.8
    for image in case.images.values():
        mask = brain_mask(image)
        assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.998


def test_the_mask_is_cheap() -> None:
    image = np.zeros((240, 240, 155), np.float32)
    image[60:180, 50:200, 20:140] = 300
    brain_mask(image)
    seconds = []
    for _ in range(3):
        start = perf_counter()
        brain_mask(image)
        seconds.append(perf_counter() - start)
    assert min(seconds) < 0.3
