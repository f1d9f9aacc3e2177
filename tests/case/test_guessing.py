"""Images that no name explains: listed, guessed from their contrast, named by what scanners call them."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import pytest

from napari_rdl.brats import MODALITIES, modality_of_token
from napari_rdl.case import check_case, find_case_files, load_case
from napari_rdl.case.guessing import guess_unexplained
from napari_rdl.case.naming import modality_of_name
from tests.case.conftest import head


@pytest.mark.parametrize(
    ("name", "modality"),
    [
        ("sub-01_MPRAGE", "T1"),
        ("ax_spgr", "T1"),
        ("SAG_MPRAGE_post", "T1c"),
        ("CT1", "T1c"),
        ("tirm", "FLAIR"),
        ("pat7_t2_TIRM", "FLAIR"),
        ("sub-01_space-T1w_FLAIR", "FLAIR"),
        ("scan_0007", None),
    ],
)
def test_common_names_of_sequences_are_known(name, modality):
    assert modality_of_name(name) == modality
    assert modality_of_token("darkfluid") == "FLAIR"


@pytest.fixture(scope="module", params=["made", "real"])
def patient(request, tmp_path_factory) -> Path:
    """A made head, and every second voxel of a real one."""
    folder = tmp_path_factory.mktemp(request.param) / "patient"
    folder.mkdir()
    if request.param == "made":
        images, affine = head()
        for modality, image in images.items():
            nib.save(nib.Nifti1Image(image, affine), folder / f"patient_{modality}.nii.gz")
        return folder
    for path in load_case_files(request.getfixturevalue("real_data") / "BraTS2021_00006"):
        nib.save(nib.load(path).slicer[::2, ::2, ::2], folder / path.name)
    return folder


def load_case_files(folder: Path) -> list[Path]:
    return list(find_case_files(folder).images.values())


@pytest.mark.parametrize("hidden", MODALITIES)
def test_an_image_that_no_name_explains_is_told_and_guessed(patient, tmp_path, hidden):
    folder = shutil.copytree(patient, tmp_path / "patient")
    odd = folder / "scan_0007.nii.gz"
    find_case_files(folder).images[hidden].rename(odd)
    left = load_case(folder)
    assert left.unexplained == (odd,)
    (found,) = guess_unexplained(left)
    assert found.guess == hidden
    (told,) = [one.message for one in check_case(left) if "scan_0007" in one.message]
    assert f"it looks like {hidden}" in told
    assert f"has no {hidden}" in told


def test_a_patient_who_lacks_nothing_is_told_of_nothing(patient, tmp_path):
    folder = shutil.copytree(patient, tmp_path / "patient")
    case = load_case(folder)
    shutil.copy(case.files["T1"], folder / "scan_0007.nii.gz")
    assert guess_unexplained(load_case(folder)) == ()
