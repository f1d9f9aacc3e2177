"""The words that name patients: folders, files one by one, odd names, and what is no patient."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.cli.conftest import NAME, is_one_sentence


def test_files_named_one_by_one_are_one_patient(shell, patient, tmp_path):
    pairs = [f"FLAIR={patient}/{NAME}_flair.nii.gz", f"t1ce={patient}/{NAME}_t1ce.nii.gz"]
    code, out, _ = shell("predict", *pairs, "--out", tmp_path, "--json")
    assert code == 0
    assert json.loads(out)["segmentations"][0]["modalities"] == ["T1c", "FLAIR"]


def test_patients_of_one_name_are_refused_before_anything_is_written(shell, patient, tmp_path):
    twin = tmp_path / "elsewhere" / patient.name
    shutil.copytree(patient, twin)
    code, _, err = shell("predict", patient, twin, "--out", tmp_path / "out")
    assert code == 2
    assert is_one_sentence(err)
    assert "same name" in err
    assert not (tmp_path / "out").exists()


def empty_folder(folder: Path) -> tuple[list[str], str]:
    (folder / "empty").mkdir()
    return [str(folder / "empty")], "empty"


def missing_folder(folder: Path) -> tuple[list[str], str]:
    return [str(folder / "nowhere")], "nowhere"


def text_as_image(folder: Path) -> tuple[list[str], str]:
    (folder / "a_t1.nii").write_text("this is no image")
    return [f"T1={folder}/a_t1.nii"], "a_t1.nii"


def cut_off_gzip(folder: Path) -> tuple[list[str], str]:
    path = folder / "a_t1.nii.gz"
    nib.save(nib.Nifti1Image(np.random.default_rng(0).normal(size=(9, 9, 9)), np.eye(4)), path)
    path.write_bytes(path.read_bytes()[:700])
    return [f"T1={path}"], "a_t1.nii.gz"


def four_axes(folder: Path) -> tuple[list[str], str]:
    nib.save(nib.Nifti1Image(np.ones((5, 5, 5, 2), np.float32), np.eye(4)), folder / "a_t1.nii.gz")
    return [f"T1={folder}/a_t1.nii.gz"], "a_t1.nii.gz"


def all_zero(folder: Path) -> tuple[list[str], str]:
    nib.save(nib.Nifti1Image(np.zeros((5, 5, 5), np.float32), np.eye(4)), folder / "a_t1.nii.gz")
    return [f"T1={folder}/a_t1.nii.gz"], "a_t1.nii.gz"


def unknown_modality(folder: Path) -> tuple[list[str], str]:
    return [f"PET={folder}/a.nii.gz"], "PET"


def twice_the_same(folder: Path) -> tuple[list[str], str]:
    return ["T1c=a.nii.gz", "t1ce=b.nii.gz"], "b.nii.gz"


def folder_and_pair(folder: Path) -> tuple[list[str], str]:
    return [str(folder), "T1=a.nii.gz"], str(folder)


def bare_file(folder: Path) -> tuple[list[str], str]:
    (folder / "scan.nii.gz").write_bytes(b"")
    return [str(folder / "scan.nii.gz")], "scan.nii.gz"


@pytest.mark.parametrize(
    "make",
    [
        empty_folder,
        missing_folder,
        text_as_image,
        cut_off_gzip,
        four_axes,
        all_zero,
        unknown_modality,
        twice_the_same,
        folder_and_pair,
        bare_file,
    ],
)
@pytest.mark.parametrize("command", ["predict", "check"])
def test_bad_input_ends_in_one_sentence_and_writes_nothing(shell, tmp_path, command, make):
    words, named = make(tmp_path)
    out = tmp_path / "out"
    code, stdout, err = shell(command, *words, *(["--out", out] if command == "predict" else []))
    assert (code, stdout) == (2, "")
    assert is_one_sentence(err), err
    assert named in err
    assert not out.exists()


def test_an_empty_name_is_no_patient(shell, tmp_path):
    for command in (("check", ""), ("predict", "", "--out", tmp_path / "out")):
        code, _, err = shell(*command)
        assert code == 2
        assert is_one_sentence(err)
        assert "is empty" in err


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take no such names")
@pytest.mark.parametrize("name", [b"P\xff\xfe", b"P\x1b[31mred", b"P" * 250, "P①²".encode()])
def test_odd_names_are_segmented_and_command_no_terminal(shell, brats_folder, tmp_path, name):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    shutil.copytree(brats_folder, folder)
    out = tmp_path / "out"
    code, said, err = shell("predict", folder, "--out", out, "--modalities", "T1", "--device", "cpu")
    assert code == 0, err
    labels, record = sorted(out.iterdir(), key=lambda path: path.suffix)
    assert labels.name.endswith("_seg_T1.nii.gz")
    assert json.loads(record.read_text())["output"] == labels.name
    assert "\x1b" not in said + err
    code, said, err = shell("check", folder, "--json")
    assert code == 0, err
    assert json.loads(said)["case"]
    said.encode()
