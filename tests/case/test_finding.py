import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_rdl.brats import MODALITIES
from napari_rdl.case import find_case_files, find_patients, is_patient_folder, load_case
from napari_rdl.case.finding import natural_key
from napari_rdl.errors import CaseError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def found_names(folder: Path) -> dict[str, str]:
    return {modality: path.name for modality, path in find_case_files(folder).images.items()}


@pytest.mark.parametrize(
    ("names", "modalities", "mask"),
    [
        (
            ["X_flair.nii.gz", "X_t1.nii.gz", "X_t1ce.nii.gz", "X_t2.nii.gz", "X_seg.nii.gz"],
            ["T1", "T1c", "T2", "FLAIR"],
            "X_seg.nii.gz",
        ),
        (["X-t1n.nii.gz", "X-t2f.nii.gz", "X-seg.nii.gz"], ["T1", "FLAIR"], "X-seg.nii.gz"),
        (
            ["B_355_t1.nii", "B_355_t2.nii", "W39_1998.09.19_Segm.nii"],
            ["T1", "T2"],
            "W39_1998.09.19_Segm.nii",
        ),
        (["P_T1GD.NII.GZ", "P_T2W.nii"], ["T1c", "T2"], None),
        (["P_fla.hdr", "P_fla.img"], ["FLAIR"], None),
        (["anat/P_T1w.nii.gz", "anat/P_FLAIR.nii.gz"], ["T1", "FLAIR"], None),
        (["P_t1.nii/0001.nii", "P_flair.nii/0001.nii", "seg/0001_seg.nii"], ["T1", "FLAIR"], "0001_seg.nii"),
        (["T1/image.nii.gz", "T2/image.nii.gz"], ["T1", "T2"], None),
        (["P_t1.nii.gz", "P_brainmask.nii.gz", "._P_t2.nii.gz", "notes.txt"], ["T1"], None),
        (["P1_t1.nii.gz", "P1_seg.nii.gz", "labels_copy_seg.nii.gz"], ["T1"], "P1_seg.nii.gz"),
    ],
)
def test_layouts(tmp_path: Path, names: list[str], modalities: list[str], mask: str | None) -> None:
    folder = touch(tmp_path / "patient", *names)
    files = find_case_files(folder)
    assert list(files.images) == modalities
    assert (files.mask.name if files.mask else None) == mask
    assert files.name == "patient"
    assert is_patient_folder(folder)


def test_a_pair_goes_by_its_header(tmp_path: Path) -> None:
    assert found_names(touch(tmp_path, "P_fla.hdr.gz", "P_fla.img.gz")) == {"FLAIR": "P_fla.hdr.gz"}


def test_two_files_for_one_modality_are_both_named(tmp_path: Path) -> None:
    touch(tmp_path, "P_t1ce.nii.gz", "P_T1Gd.nii.gz", "P_t2.nii.gz")
    with pytest.raises(CaseError, match=r"for T1c \(P_t1ce.nii.gz and P_T1Gd.nii.gz\).*for T1c yourself"):
        find_case_files(tmp_path)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["a.nii.gz", "b.nii.gz"], r"No modality was recognised in .* \(a.nii.gz, b.nii.gz\): rename"),
        (["IM1.dcm"], "holds DICOM files and no NIfTI: convert them with dcm2niix"),
        (["readme.txt"], "No NIfTI file was found in"),
        (["only_seg.nii.gz"], "No modality was recognised"),
    ],
)
def test_no_modality(tmp_path: Path, names: list[str], sentence: str) -> None:
    with pytest.raises(CaseError, match=sentence):
        find_case_files(touch(tmp_path, *names))
    assert not is_patient_folder(tmp_path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="is no folder"):
        find_case_files(tmp_path / "absent")
    assert not is_patient_folder(tmp_path / "absent")


def test_masks_that_cannot_be_told_apart_are_not_used(tmp_path: Path) -> None:
    files = find_case_files(touch(tmp_path, "P_t1.nii", "one_seg.nii", "two_seg.nii"))
    assert files.mask is None
    assert "one_seg.nii and two_seg.nii" in files.notes[0]


def test_labels_given_by_the_user_win_over_names(tmp_path: Path) -> None:
    touch(tmp_path, "BraTS_1_t1ce.nii")
    assert find_case_files(tmp_path).convention.name == "brats2018"
    assert find_case_files(tmp_path, labels="brats2023").convention.name == "brats2023"


def test_a_folder_of_patients_is_no_patient_and_lists_them_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        touch(tmp_path / f"P{number}", f"P{number}_t1.nii.gz", f"P{number}_t2.nii.gz")
    touch(tmp_path / "deep" / "site" / "P3", "P3_flair.nii.gz", "P3_t1.nii.gz")
    touch(tmp_path / ".cache" / "P4", "P4_t1.nii.gz")
    assert not is_patient_folder(tmp_path)
    assert [path.name for path in find_patients(tmp_path)] == ["P3", "P1", "P2", "P10"]


def test_the_only_patient_of_a_folder_is_found_below_it(tmp_path: Path) -> None:
    touch(tmp_path / "P1", "P1_t1.nii.gz", "P1_t2.nii.gz")
    assert not is_patient_folder(tmp_path)
    assert [path.name for path in find_patients(tmp_path)] == ["P1"]
    assert find_case_files(tmp_path).name == "P1"


@pytest.mark.parametrize("strange", ["", "\0", "/dev/null", "~", "a" * 5000])
def test_asking_about_a_strange_path_never_raises(strange: str) -> None:
    assert not is_patient_folder(strange)


def test_made_patients_named_as_real_ones(tmp_path: Path) -> None:
    """The layouts of the real ones: BraTS 2021, 2023, 2013 by modality's folder, a clinic's own."""
    one = [f"BraTS2021_00006_{ending}.nii.gz" for ending in ("t1", "t1ce", "t2", "flair", "seg")]
    touch(tmp_path / "BraTS2021_00006", *one)
    two = [f"BraTS-GLI-00027-000-{ending}.nii.gz" for ending in ("t1n", "t1c", "t2w", "t2f", "seg")]
    touch(tmp_path / "BraTS-GLI-00027-000", *two)
    three = [f"{name}_subtrMeanDivStd.nii.gz" for name in ("T1c", "Flair")]
    three += ["OTMultiClass.nii.gz", "brainmask.nii.gz"]
    touch(tmp_path / "brats_2013_pat0001_1", *three)
    clinic = [f"OtherEXampleFromTCIA_native_bet_{ending}.nii.gz" for ending in ("t1", "t1c", "t2", "fla")]
    touch(tmp_path / "native-mismatched-grids", *clinic)
    names = {"BraTS2021_00006", "BraTS-GLI-00027-000", "brats_2013_pat0001_1", "native-mismatched-grids"}
    assert {path.name for path in find_patients(tmp_path)} == names
    files = find_case_files(tmp_path / "brats_2013_pat0001_1")
    assert list(files.images) == ["T1c", "FLAIR"]
    assert (files.mask.name, files.convention.name) == ("OTMultiClass.nii.gz", "brats2013")
    files = find_case_files(tmp_path / "BraTS2021_00006")
    assert (files.mask.name, files.convention.name) == ("BraTS2021_00006_seg.nii.gz", "brats2018")
    assert find_case_files(tmp_path / "BraTS-GLI-00027-000").convention.name == "brats2023"


def test_real_patients(real_data: Path) -> None:
    patients = find_patients(real_data)
    assert {path.name for path in patients} >= {
        "BraTS2021_00006",
        "BraTS-GLI-00027-000",
        "native-mismatched-grids",
    }
    files = find_case_files(real_data / "brats_2013_pat0001_1")
    assert list(files.images) == ["T1c", "FLAIR"]
    assert (files.mask.name, files.convention.name) == ("OTMultiClass.nii.gz", "brats2013")
    files = find_case_files(real_data / "BraTS2021_00006")
    assert (files.mask.name, files.convention.name) == ("BraTS2021_00006_seg.nii.gz", "brats2018")
    assert find_case_files(real_data / "BraTS-GLI-00027-000").convention.name == "brats2023"


@pytest.mark.parametrize("name", ["P①", "P²", "P٣", "Ⅻ", "脳_2", "½", "P\u202e1"])
def test_digits_that_are_no_numbers_stand_in_names(brats_folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(brats_folder, tmp_path / name)
    shutil.copytree(brats_folder, tmp_path / f"{name}10")
    assert {path.name for path in find_patients(tmp_path)} == {name, f"{name}10"}
    assert set(find_case_files(tmp_path / name).images) == set(MODALITIES)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=8))
def test_every_name_has_its_place(names: list[str]) -> None:
    ordered = sorted((Path(name.replace("\0", "")) for name in names), key=natural_key)
    assert len(ordered) == len(names)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_that_lead_nowhere_or_back_cost_no_good_patient(brats_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(brats_folder, tmp_path / "good")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "back").symlink_to(tmp_path)
    (tmp_path / "broken").symlink_to(tmp_path / "absent")
    (tmp_path / "good" / "self_t1.nii.gz").symlink_to(tmp_path / "good" / "self_t1.nii.gz")
    (tmp_path / "good" / "up").symlink_to(tmp_path)
    assert [path.name for path in find_patients(tmp_path)] == ["good"]
    assert set(find_case_files(tmp_path / "good").images) == set(MODALITIES)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="everything may be read")
def test_a_folder_that_may_not_be_read_costs_no_other(brats_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(brats_folder, tmp_path / "good")
    (tmp_path / "closed").mkdir(mode=0)
    assert [path.name for path in find_patients(tmp_path)] == ["good"]


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_name_that_no_folder_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(CaseError, match="is no folder"):
        find_case_files(tmp_path / name)
    with pytest.raises(CaseError, match="check the name"):
        load_case(tmp_path / name)


def test_no_name_at_all() -> None:
    with pytest.raises(CaseError, match="name is empty"):
        load_case("")
