from pathlib import Path

import pytest

from napari_rdl.case.naming import (
    convention_named,
    convention_of_names,
    is_expert_mask,
    is_mask_name,
    modality_of_name,
)
from napari_rdl.errors import CaseError


@pytest.mark.parametrize(
    ("stem", "modality"),
    [
        ("BraTS20_Training_001_t1", "T1"),
        ("BraTS20_Training_001_t1ce", "T1c"),
        ("Brats18_2013_2_1_flair", "FLAIR"),
        ("BraTS-GLI-00027-000-t1n", "T1"),
        ("BraTS-GLI-02064-100-t2f", "FLAIR"),
        ("BraTS-GLI-02064-100-t2w", "T2"),
        ("TCGA-02-0006_1996.08.23_t1Gd", "T1c"),
        ("UPENN-GBM-00001_11_T1GD", "T1c"),
        ("OtherEXampleFromTCIA_native_bet_fla", "FLAIR"),
        ("P01_t2W", "T2"),
        ("Flair_subtrMeanDivStd", "FLAIR"),
        ("T1", "T1"),
        ("sub-01_ce-gadolinium_T1w", "T1c"),
        ("sub-01_space-T1w_FLAIR", "FLAIR"),
        ("T1_in_T2_space", "T1"),
        ("ax t2 flair", "FLAIR"),
        ("T1_Gd_brain", "T1c"),
        ("T2_T1_patient_T1", "T1"),
        ("brainmask", None),
        ("localizer", None),
        ("T12_spine", None),
    ],
)
def test_modality_of_a_name(stem: str, modality: str | None) -> None:
    assert modality_of_name(stem) == modality


@pytest.mark.parametrize(
    ("name", "mask", "expert"),
    [
        ("BraTS20_Training_001_seg.nii.gz", True, True),
        ("W39_1998.09.19_Segm.nii", True, True),
        ("OTMultiClass.nii.gz", True, True),
        ("brainmask.nii.gz", True, False),
        ("P1_brain_mask.nii.gz", True, False),
        ("P1_T1_mask.nii.gz", True, False),
        ("P1_seg_T1c+FLAIR.nii.gz", True, False),
        ("GT_t1.nii.gz", False, False),
        ("P1_flair.nii.gz", False, False),
    ],
)
def test_masks_are_told_from_images(name: str, mask: bool, expert: bool) -> None:
    assert is_mask_name(Path(name)) == mask
    assert is_expert_mask(Path(name)) == expert


def test_what_the_program_predicted_is_no_expert_mask(tmp_path: Path) -> None:
    mask = tmp_path / "P1_seg.nii.gz"
    assert is_expert_mask(mask)
    mask.with_name("P1_seg.json").write_text('{"versions": {"napari_rdl": "0.1"}}')
    assert not is_expert_mask(mask)


@pytest.mark.parametrize(
    ("images", "mask", "convention"),
    [
        (["BraTS2021_00006_t1.nii.gz", "BraTS2021_00006_t1ce.nii.gz"], None, "brats2018"),
        (["BraTS20_Training_355_flair.nii"], "W39_1998.09.19_Segm.nii", "brats2018"),
        (["BraTS20_Training_355_t1.nii"], None, "brats2018"),
        (["anyone_t1.nii.gz", "anyone_t2.nii.gz"], "anyone_seg.nii.gz", None),
        (["anyone_t1.nii.gz", "anyone_flair.nii.gz"], "anyone_seg.nii.gz", "brats2018"),
        (["BraTS-GLI-00027-000-t1n.nii.gz", "BraTS-GLI-00027-000-t2f.nii.gz"], None, "brats2023"),
        (["BraTS-GLI-00027-001-t1n.nii.gz"], None, "brats2023"),
        (["BraTS-MET-00002-000-t1n.nii.gz"], None, "brats2023"),
        (["BraTS-GLI-02064-100-t1n.nii.gz"], None, "brats2024"),
        (["BraTS-GLI-02064-101-t1c.nii.gz"], None, "brats2024"),
        (["BraTS-PED-00002-000-t1n.nii.gz"], None, None),
        (["T1c_subtrMeanDivStd.nii.gz"], "OTMultiClass.nii.gz", "brats2013"),
        (["P1_T1GD.nii.gz", "P1_FLAIR.nii.gz"], "P1_seg.nii.gz", None),
        (["BraTS2021_00006_t1.nii.gz", "other_T1gd.nii.gz"], None, None),
    ],
)
def test_convention_follows_from_names_or_stays_open(
    images: list[str], mask: str | None, convention: str | None
) -> None:
    found = convention_of_names([Path(name) for name in images], Path(mask) if mask else None)
    assert (found.name if found else None) == convention


def test_an_unknown_convention_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CaseError, match=r"'brats1999' is no label convention: use brats2018, brats2023"):
        convention_named("brats1999")
