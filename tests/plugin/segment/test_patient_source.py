"""Patients from folders, dropped files and layers."""

from __future__ import annotations

import shutil

import nibabel as nib
import numpy as np
import pytest
from napari.layers import Image

from napari_rdl.errors import CaseError, GridsDifferError
from napari_rdl.plugin.segment.patient_source import (
    layer_image,
    read_layers,
    read_paths,
    read_with,
    shared_case_of,
)
from napari_rdl.plugin.viewer.patient_layers import image_layer_data
from tests.conftest import tiny_arrays


@pytest.fixture
def shifted(brats_folder, tmp_path):
    """The small patient with its FLAIR half a voxel away."""
    folder = shutil.copytree(brats_folder, tmp_path / "shifted")
    flair = next(folder.glob("*_flair.nii.gz"))
    image = nib.load(flair)
    affine = image.affine.copy()
    affine[0, 3] += 0.5
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine), flair)
    return folder


def layers_of(folder) -> dict[str, Image]:
    case = read_paths([folder]).case
    return {
        settings["metadata"]["napari_rdl"]["modality"]: Image(data, **settings)
        for data, settings, _ in image_layer_data(case)
    }


def test_a_folder_and_its_files_give_the_same_patient(brats_folder):
    one = read_paths([brats_folder]).case
    other = read_paths(sorted(brats_folder.glob("*.nii.gz"))).case
    assert one.modalities == other.modalities == ("T1", "T1c", "T2", "FLAIR")
    for modality in one.modalities:
        np.testing.assert_array_equal(one.images[modality], other.images[modality])


def test_a_single_file_is_a_patient_with_one_modality(brats_folder):
    assert read_paths([next(brats_folder.glob("*_t1ce.nii.gz"))]).case.modalities == ("T1c",)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["scan_7.nii.gz"], "scan_7.nii.gz"),
        (["a_t1.nii.gz", "b_t1.nii.gz"], "both look like T1"),
        (["a_t1.nii.gz", "notes.txt"], "notes.txt"),
        (["x_seg.nii.gz", "y_mask.nii.gz"], "no image"),
    ],
)
def test_files_that_are_no_patient_are_refused_by_name(brats_folder, tmp_path, names, said):
    source = next(brats_folder.glob("*_t2.nii.gz"))
    paths = [shutil.copy(source, tmp_path / name) for name in names]
    with pytest.raises(CaseError, match=said):
        read_paths(paths)


def test_different_grids_are_told_apart_from_other_troubles(shifted, brats_folder, tmp_path):
    with pytest.raises(GridsDifferError, match="flair"):
        read_paths([shifted])
    assert read_paths([shifted], resample=True).case.resampled
    broken = shutil.copytree(brats_folder, tmp_path / "broken")
    next(broken.glob("*_t1.nii.gz")).write_bytes(b"")
    with pytest.raises(CaseError) as refusal:
        read_paths([broken])
    assert not isinstance(refusal.value, GridsDifferError)


def test_layers_of_one_case_keep_the_case_and_its_files(brats_folder):
    layers = layers_of(brats_folder)
    chosen = {name: layers[name] for name in ("FLAIR", "T1c")}
    shared = shared_case_of(chosen)
    patient = read_layers({name: layer_image(layer) for name, layer in chosen.items()}, shared_case=shared)
    assert patient.case.modalities == ("T1c", "FLAIR")
    assert set(patient.case.files) == {"T1c", "FLAIR"}
    assert patient.case.native is shared.native
    assert not patient.add_images


def test_swapped_layers_are_read_as_the_user_says(brats_folder):
    layers = layers_of(brats_folder)
    swapped = {"T1": layers["T2"], "T2": layers["T1"]}
    assert shared_case_of(swapped) is None
    patient = read_layers({name: layer_image(layer) for name, layer in swapped.items()})
    assert patient.case.files["T1"].name.endswith("_t2.nii.gz")
    np.testing.assert_array_equal(patient.case.images["T1"], layers["T2"].data)
    assert not patient.add_images


def test_layers_without_a_file_stay_on_their_own_grid_and_the_record_says_so():
    images, _ = tiny_arrays()
    placed = {"scale": (0.5, 1, 2), "translate": (3, -4, 5)}
    layers = {name: Image(images[name], name=f"pat_7 {name}", **placed) for name in ("T1c", "T2")}
    patient = read_layers({name: layer_image(layer) for name, layer in layers.items()})
    case = patient.case
    assert case.name == "pat_7"
    np.testing.assert_allclose(case.grid.spacing, (0.5, 1, 2))
    np.testing.assert_allclose(case.native.affine[:3, 3], (3, -4, 5))
    assert any("T1c, T2" in note and "own grid" in note for note in case.notes)
    assert not patient.add_images


def test_units_of_a_layer_are_brought_to_millimetres():
    layer = Image(np.zeros((3, 4, 5)), scale=(1000, 2000, 500), units=("um", "um", "um"))
    np.testing.assert_allclose(np.diag(layer_image(layer).affine), (1, 2, 0.5, 1))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (Image(np.ones((26, 30, 21)), name="b"), "differ in shape"),
        (Image(np.ones((26, 30, 22)), name="b", translate=(0, 0, 1)), "differ in scale or place"),
    ],
)
def test_layers_without_a_file_must_share_a_grid(other, said):
    images, _ = tiny_arrays()
    layers = {"T1": Image(images["T1"], name="a"), "T2": other}
    with pytest.raises(CaseError, match=said):
        read_layers({name: layer_image(layer) for name, layer in layers.items()})


def test_nothing_assigned_and_one_layer_twice_are_refused():
    with pytest.raises(CaseError, match="No layer"):
        read_layers({})
    layer = layer_image(Image(np.ones((4, 4, 4)), name="same"))
    with pytest.raises(CaseError, match="'same' stands for two"):
        read_layers({"T1": layer, "T2": layer})


def test_a_file_that_was_confirmed_is_one_of_the_patients_images(brats_folder, tmp_path):
    folder = shutil.copytree(brats_folder, tmp_path / "BraTS2021_90001")
    odd = (folder / "BraTS2021_90001_t2.nii.gz").rename(folder / "scan_7.nii.gz")
    case = read_paths([folder]).case
    assert "T2" not in case.images
    again = read_with(case, {"T2": odd}).case
    assert again.modalities == ("T1", "T1c", "T2", "FLAIR")
    assert (again.files["T2"], again.mask_file, again.name) == (odd, case.mask_file, case.name)
    assert again.unexplained == ()
    np.testing.assert_array_equal(again.truth(), case.truth())
