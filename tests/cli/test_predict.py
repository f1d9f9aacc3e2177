"""``napari-rdl predict``: what is written where, and what is said."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_rdl.brats import SUBSETS, subset_name
from napari_rdl.models import ModelCard, load_model, save_model
from tests.cli.conftest import NAME, is_one_sentence


def test_predict_writes_the_native_grid_and_one_json_object(shell, patient, tmp_path):
    code, out, _ = shell("predict", patient, "--out", tmp_path / "out", "--device", "cpu", "--json")
    assert code == 0
    document = json.loads(out)
    assert set(document) == {"segmentations", "seconds"}
    assert set(document["seconds"]) == {"load", "encode", "combine", "save"}
    assert all(seconds >= 0 for seconds in document["seconds"].values())
    (record,) = document["segmentations"]
    assert set(record) == {"modalities", "path", "volumes_ml"}
    assert record["modalities"] == ["T1", "T1c", "T2", "FLAIR"]
    assert Path(record["path"]) == tmp_path / "out" / f"{NAME}_seg.nii.gz"
    assert set(record["volumes_ml"]) == {"WT", "TC", "ET"}

    labels, image = nib.load(record["path"]), nib.load(next(patient.glob("*_t1.nii.gz")))
    assert labels.get_data_dtype() == np.uint8
    assert labels.shape == image.shape
    assert np.array_equal(labels.affine, image.affine)
    values = np.asarray(labels.dataobj)
    assert set(np.unique(values)) <= {0, 1, 2, 4}
    voxel_ml = abs(np.linalg.det(image.affine)) / 1000
    assert record["volumes_ml"]["WT"] == pytest.approx(np.count_nonzero(values) * voxel_ml)
    assert record["volumes_ml"]["ET"] == pytest.approx(np.count_nonzero(values == 4) * voxel_ml)


def test_an_experts_mask_is_never_replaced(shell, patient):
    """Its name in BraTS folders is that of a result, and many give a patient's folder as --out."""
    mask = patient / f"{NAME}_seg.nii.gz"
    before = {path: path.read_bytes() for path in patient.iterdir()}
    assert mask in before
    by_name = [f"T1={patient / f'{NAME}_t1.nii.gz'}", f"T2={patient / f'{NAME}_t2.nii.gz'}"]
    for words in ([patient], [patient, "--all-subsets"], by_name):
        code, _, err = shell("predict", *words, "--out", patient, "--device", "cpu")
        assert code == 2
        assert is_one_sentence(err)
        assert "may be an expert's mask" in err
        assert {path: path.read_bytes() for path in patient.iterdir()} == before
    # What was predicted there is replaced as ever.
    mask.unlink()
    for _ in range(2):
        assert shell("predict", patient, "--out", patient, "--device", "cpu")[0] == 0


def test_predict_without_json_says_path_and_volumes(shell, patient, tmp_path):
    code, out, _ = shell("predict", patient, "--out", tmp_path)
    assert code == 0
    assert str(tmp_path / f"{NAME}_seg.nii.gz") in out
    assert "WT" in out
    assert " ml" in out


def test_predict_says_what_to_expect_of_each_subset(shell, patient, tmp_path, tiny_checkpoint):
    model = load_model(tiny_checkpoint)
    false = {"median": 0.1, "largest": 2, "share_below_half_ml": 0.8, "heads": 5}
    card = ModelCard.model_validate({**model.card.model_dump(), "expected": {"T2": {"false_ml": false}}})
    told = save_model(tmp_path / "told.safetensors", model.network, card)
    words = ("predict", patient, "--out", tmp_path / "out", "--all-subsets", "--model", told)
    code, out, _ = shell(*words)
    assert code == 0
    lines = out.splitlines()
    assert sum("expect" in line for line in lines) == 1
    (number,) = (number for number, line in enumerate(lines) if "  T2: " in line)
    assert lines[number + 1].strip() == "expect up to 2.0 ml false tumour in a head without one"
    _, out, _ = shell(*words, "--json")
    told = [one for one in json.loads(out)["segmentations"] if "expected" in one]
    assert [one["modalities"] for one in told] == [["T2"]]
    assert told[0]["expected"]["false_ml"]["largest"] == 2


def test_what_was_mended_on_reading_is_said(shell, patient, tmp_path):
    path = patient / f"{NAME}_t1.nii.gz"
    image = nib.load(path)
    values = image.get_fdata(dtype=np.float32)
    values[10, 10, 10] = np.nan
    nib.save(nib.Nifti1Image(values, image.affine), path)
    code, _, err = shell("predict", patient, "--out", tmp_path / "out", "--modalities", "T1")
    assert code == 0
    assert f"note: {NAME}: {path.name}: 1 voxels were NaN or infinite" in err


def test_all_subsets_are_fifteen_files_named_by_their_modalities(shell, patient, tmp_path):
    code, out, _ = shell("predict", patient, "--out", tmp_path, "--all-subsets", "--json")
    assert code == 0
    expected = [f"{NAME}_seg_{subset_name(subset)}.nii.gz" for subset in SUBSETS[:-1]] + [
        f"{NAME}_seg.nii.gz"
    ]
    assert sorted(path.name for path in tmp_path.glob("*.nii.gz")) == sorted(expected)
    listed = {tuple(record["modalities"]) for record in json.loads(out)["segmentations"]}
    assert listed == set(SUBSETS)
    image = nib.load(patient / f"{NAME}_t1.nii.gz")
    for path in tmp_path.glob("*.nii.gz"):
        labels = nib.load(path)
        assert labels.shape == image.shape
        assert np.array_equal(labels.affine, image.affine)
        assert labels.get_data_dtype() == np.uint8
        assert set(np.unique(np.asarray(labels.dataobj))) <= {0, 1, 2, 4}


def test_a_subset_that_is_asked_for_equals_the_one_among_all(shell, patient, tmp_path):
    shell("predict", patient, "--out", tmp_path / "all", "--all-subsets", "--device", "cpu")
    code, _, _ = shell(
        "predict", patient, "--out", tmp_path / "one", "--modalities", "flair,t1ce", "--device", "cpu"
    )
    assert code == 0
    name = f"{NAME}_seg_T1c+FLAIR.nii.gz"
    assert [path.name for path in (tmp_path / "one").glob("*.nii.gz")] == [name]
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "all" / name).read_bytes()


def test_a_cohort_goes_on_after_a_failure_and_lists_it(shell, cohort, tmp_path):
    code, out, err = shell("predict", cohort, "--out", tmp_path / "out", "--json")
    assert code == 2
    document = json.loads(out)
    assert [record["case"] for record in document["segmentations"]] == ["patient1", "patient3"]
    (failure,) = document["failures"]
    assert failure["case"] == "patient2"
    assert "_t2.nii.gz" in failure["message"]
    assert err.strip().splitlines()[-1].startswith("1 of 3 patients")
    names = [path.name for path in (tmp_path / "out").glob("*.nii.gz")]
    assert sorted(names) == ["patient1_seg.nii.gz", "patient3_seg.nii.gz"]


def test_grids_that_differ_are_refused_until_resampling_is_asked_for(shell, patient, tmp_path):
    path = patient / f"{NAME}_flair.nii.gz"
    image = nib.load(path)
    affine = image.affine.copy()
    affine[:3, 3] += 5
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine, image.header), path)
    code, _, err = shell("predict", patient, "--out", tmp_path / "out")
    assert code == 2
    assert is_one_sentence(err)
    assert "--resample" in err
    assert not (tmp_path / "out").exists()
    code, _, _ = shell("predict", patient, "--out", tmp_path / "out", "--resample")
    assert code == 0
    assert (tmp_path / "out" / f"{NAME}_seg.nii.gz").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--modalities", "T1,PET"), "PET"),
        (("--modalities", ""), "at least one"),
        (("--labels", "brats1999"), "brats1999"),
        (("--device", "abacus"), "abacus"),
        (("--model", "no-such.safetensors"), "no-such.safetensors"),
        (("--model", "x" * 300), "x" * 300),
        (("--model", __file__), Path(__file__).name),
    ],
)
def test_wrong_settings_end_in_one_sentence_and_write_nothing(shell, patient, tmp_path, words, named):
    out = tmp_path / "out"
    code, _, err = shell("predict", patient, "--out", out, *words)
    assert code == 2
    assert is_one_sentence(err), err
    assert named in err
    assert not out.exists()


def test_a_modality_that_the_patient_lacks_is_named(shell, patient, tmp_path):
    (patient / f"{NAME}_t2.nii.gz").unlink()
    code, _, err = shell("predict", patient, "--out", tmp_path / "out", "--modalities", "T2")
    assert code == 2
    assert is_one_sentence(err)
    assert "T2" in err
    assert "T1, T1c, FLAIR" in err


def test_an_output_folder_that_is_a_file_is_refused_before_the_run(shell, patient, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_rdl.models.load_model", lambda *_: pytest.fail("the model was loaded"))
    (tmp_path / "taken").write_text("")
    code, _, err = shell("predict", patient, "--out", tmp_path / "taken" / "out")
    assert code == 2
    assert is_one_sentence(err)
    assert str(tmp_path / "taken") in err


@pytest.mark.parametrize("command", ["predict", "evaluate", "study", "report", "phantom", "train"])
def test_an_output_that_nothing_can_be_called_is_refused_before_the_run(
    shell, patient, tmp_path, monkeypatch, command
):
    monkeypatch.setattr("napari_rdl.models.load_model", lambda *_: pytest.fail("the model was loaded"))
    patients = {"phantom": [], "train": ["--data", "phantom:2"]}.get(command, [patient])
    before = sorted(tmp_path.rglob("*"))
    code, said, err = shell(command, *patients, "--out", tmp_path / ("x" * 300))
    assert (code, said) == (2, "")
    assert is_one_sentence(err), err
    assert "x" * 300 in err
    assert sorted(tmp_path.rglob("*")) == before


def test_what_the_system_refuses_where_nobody_expects_it_is_one_sentence(
    shell, patient, tmp_path, monkeypatch
):
    def gone(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO), "/mnt/share/a_t1.nii.gz")

    monkeypatch.setattr("napari_rdl.segment.encode", gone)
    code, said, err = shell("predict", patient, "--out", tmp_path / "out")
    assert (code, said) == (2, "")
    assert is_one_sentence(err), err
    assert "/mnt/share/a_t1.nii.gz cannot be used: Input/output error" in err


def test_a_real_patient_has_fifteen_results_on_its_native_grid(shell, real_data, tmp_path):
    """A slab of it: all modalities, their own header and an origin of its own, and thirty-two slices."""
    patient = tmp_path / "BraTS2021_00006"
    patient.mkdir()
    for path in (real_data / patient.name).glob("*.nii.gz"):
        nib.save(nib.load(path).slicer[40:200, 20:220, 60:92], patient / path.name)
    words = ("--all-subsets", "--device", "cpu", "--json")
    code, out, _ = shell("predict", patient, "--out", tmp_path / "out", *words)
    assert code == 0
    records = json.loads(out)["segmentations"]
    assert len(records) == 15
    image = nib.load(patient / "BraTS2021_00006_t1.nii.gz")
    for record in records:
        labels = nib.load(record["path"])
        assert labels.shape == image.shape
        assert np.array_equal(labels.affine, image.affine)
        assert labels.get_data_dtype() == np.uint8
        assert set(np.unique(np.asarray(labels.dataobj))) <= {0, 1, 2, 4}


def test_a_real_patient_on_several_grids_is_refused_in_one_sentence(shell, real_data, tmp_path):
    code, _, err = shell("predict", real_data / "native-mismatched-grids", "--out", tmp_path / "out")
    assert code == 2
    assert is_one_sentence(err)
    assert "--resample" in err
    assert not (tmp_path / "out").exists()
