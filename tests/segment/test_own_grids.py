"""Modalities on different grids: each is encoded on its own, and the common one only shows the result."""

import nibabel as nib
import numpy as np
import pytest

from napari_rdl.case import load_case
from napari_rdl.errors import CaseError
from napari_rdl.segment import SegmentSettings, encode
from napari_rdl.segment.placement import moved

from .kinds import KINDS, model_of

CPU = SegmentSettings(device="cpu", tile=16)


@pytest.fixture(scope="module")
def mixed(brats_folder, tmp_path_factory):
    """T1 at half the voxel size, FLAIR as it was: two files of one patient."""
    folder = tmp_path_factory.mktemp("mixed") / "patient"
    folder.mkdir()
    source = load_case(brats_folder, modalities=["T1", "FLAIR"])
    affine = source.grid.affine.copy()
    nib.save(nib.Nifti1Image(source.images["FLAIR"], affine), folder / "patient_flair.nii.gz")
    fine = source.images["T1"].repeat(2, 0).repeat(2, 1).repeat(2, 2)
    # The outer corner stays where it is.
    half = affine @ np.diag([0.5, 0.5, 0.5, 1.0])
    half[:3, 3] = (affine @ [-0.25, -0.25, -0.25, 1.0])[:3]
    nib.save(nib.Nifti1Image(fine, half), folder / "patient_t1.nii.gz")
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_finer_modality_beside_it_does_not_change_what_one_says(mixed, brats_folder, kind):
    model = model_of(kind, brats_folder)
    both = load_case(mixed, resample=True)
    assert both.grid.shape == tuple(2 * size for size in load_case(brats_folder).grid.shape)
    together = encode(both, model, settings=CPU).combine(["FLAIR"])
    alone = encode(load_case(mixed, modalities=["FLAIR"]), model, settings=CPU).combine()
    assert alone.labels.any()
    # Random weights speckle, and interpolated logits speckle less: the same up to the edges of classes.
    for region, volume in alone.volumes_ml().items():
        assert together.volumes_ml()[region] == pytest.approx(volume, rel=0.2, abs=0.1)
    fine = together.labels
    for corner in np.ndindex(2, 2, 2):
        assert (fine[corner[0] :: 2, corner[1] :: 2, corner[2] :: 2] == alone.labels).mean() > 0.9


def test_the_reference_grid_needs_no_interpolation(mixed, brats_folder):
    model = model_of("gated", brats_folder)
    both = encode(load_case(mixed, resample=True), model, settings=CPU)
    alone = encode(load_case(mixed, modalities=["T1"]), model, settings=CPU)
    assert np.array_equal(both.labels(["T1"]), alone.labels())
    assert np.array_equal(both.probabilities(["T1"]), alone.probabilities())


def test_a_slice_and_all_subsets_agree_with_the_volume(mixed, brats_folder):
    model = model_of("deep sets, patch 2", brats_folder)
    both = encode(load_case(mixed, resample=True), model, settings=CPU)
    for segmentation in both.combine_all():
        assert np.array_equal(segmentation.labels, both.labels(segmentation.modalities))
        flat = both.label_slice(segmentation.modalities, 2, 20)
        assert (flat == segmentation.labels[:, :, 20]).mean() > 0.999


def test_an_image_of_another_place_is_named(mixed, brats_folder, tmp_path):
    far = tmp_path / "patient_t2.nii.gz"
    image = nib.load(mixed / "patient_flair.nii.gz")
    affine = image.affine.copy()
    affine[:3, 3] += 500
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine), far)
    case = load_case({"T1": mixed / "patient_t1.nii.gz", "T2": far}, resample=True)
    with pytest.raises(CaseError, match=r"The T2 image of .* lies outside"):
        encode(case, model_of("gated", brats_folder), settings=CPU)


def test_moving_is_scipys_linear_interpolation():
    import torch
    from scipy.ndimage import affine_transform

    rng = np.random.default_rng(0)
    volume = rng.normal(size=(2, 9, 7, 8)).astype(np.float32)
    matrix = np.eye(4)
    matrix[:3, :3] = [[0.5, 0.1, 0], [-0.1, 0.6, 0.05], [0, 0, 0.7]]
    matrix[:3, 3] = (1.2, 0.7, 1.1)
    found = moved(torch.from_numpy(volume), matrix, (8, 6, 7)).numpy()
    for one, other in zip(found, volume, strict=True):
        expected = affine_transform(
            other, matrix[:3, :3], matrix[:3, 3], output_shape=(8, 6, 7), order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(one, expected, atol=1e-4)
