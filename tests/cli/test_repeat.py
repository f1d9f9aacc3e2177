"""``napari-rdl predict --from``: a recorded run again, to the byte, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_rdl.models import load_model, save_model
from tests.cli.conftest import NAME, is_one_sentence


@pytest.mark.parametrize("words", [(), ("--modalities", "T1c,FLAIR")])
def test_a_recorded_run_is_repeated_to_the_byte(shell, patient, tmp_path, words):
    shell("predict", patient, "--out", tmp_path / "first", "--device", "cpu", *words)
    (record,) = (tmp_path / "first").glob("*.json")
    (labels,) = (tmp_path / "first").glob("*.nii.gz")
    code, out, _ = shell("predict", "--from", record, "--out", tmp_path / "again", "--json")
    assert code == 0
    assert set(json.loads(out)) == {"segmentations", "seconds"}
    assert (tmp_path / "again" / labels.name).read_bytes() == labels.read_bytes()


def test_a_resampled_run_is_repeated_to_the_byte(shell, patient, tmp_path):
    path = patient / f"{NAME}_t2.nii.gz"
    image = nib.load(path)
    nib.save(
        nib.Nifti1Image(np.asarray(image.dataobj)[:, :, ::2], image.affine @ np.diag([1, 1, 2, 1])), path
    )
    words = ("--resample", "--modalities", "T2", "--labels", "brats2023", "--device", "cpu")
    assert shell("predict", patient, "--out", tmp_path / "first", *words)[0] == 0
    (record,) = (tmp_path / "first").glob("*.json")
    (labels,) = (tmp_path / "first").glob("*.nii.gz")
    code, _, err = shell("predict", "--from", record, "--out", tmp_path / "again")
    assert code == 0, err
    assert (tmp_path / "again" / labels.name).read_bytes() == labels.read_bytes()


def test_a_run_is_not_repeated_on_a_changed_image(shell, patient, tmp_path):
    shell("predict", patient, "--out", tmp_path / "first", "--device", "cpu")
    (record,) = (tmp_path / "first").glob("*.json")
    path = patient / f"{NAME}_t2.nii.gz"
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj) + 1, image.affine, image.header), path)
    code, _, err = shell("predict", "--from", record, "--out", tmp_path / "again")
    assert code == 2
    assert is_one_sentence(err)
    assert path.name in err
    assert not (tmp_path / "again").exists()


def test_a_run_is_not_repeated_with_other_weights(shell, patient, tmp_path, tiny_checkpoint):
    shell("predict", patient, "--out", tmp_path / "first", "--device", "cpu")
    (record,) = (tmp_path / "first").glob("*.json")

    model = load_model(tiny_checkpoint)
    with_other_card = model.card.model_copy(update={"steps": model.card.steps + 1})
    other = save_model(tmp_path / "other.safetensors", model.network, with_other_card)
    code, _, err = shell("predict", "--from", record, "--out", tmp_path / "again", "--model", other)
    assert code == 2
    assert is_one_sentence(err)
    assert "weights" in err
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"modalities": 3}'])
def test_a_file_that_is_no_record_is_refused(shell, tmp_path, content):
    path = tmp_path / "record.json"
    path.write_text(content)
    code, _, err = shell("predict", "--from", path, "--out", tmp_path / "out")
    assert code == 2
    assert is_one_sentence(err)
    assert "record.json" in err


def test_a_repeated_run_takes_no_other_input(shell, patient, tmp_path):
    code, _, err = shell("predict", patient, "--from", tmp_path / "record.json", "--out", tmp_path / "out")
    assert code == 2
    assert is_one_sentence(err)
    assert "--from" in err


@pytest.mark.parametrize("case", ["../escaped", "/tmp/escaped", "a/b", "..", "x\x1b]0;hi\x07"])
def test_a_records_case_is_a_name_and_no_path(shell, patient, tmp_path, case):
    code, _, _ = shell("predict", patient, "--out", tmp_path / "out", "--modalities", "T1", "--device", "cpu")
    assert code == 0
    record = next((tmp_path / "out").glob("*.json"))
    content = json.loads(record.read_text())
    record.write_text(json.dumps(content | {"case": case}))
    before = sorted(tmp_path.rglob("*"))
    code, _, err = shell("predict", "--from", record, "--out", tmp_path / "again")
    assert code == 2
    assert is_one_sentence(err)
    assert "is no name of a patient" in err
    assert "\x1b" not in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices")
def test_a_record_that_has_no_end(shell, tmp_path):
    code, _, err = shell("predict", "--from", "/dev/zero", "--out", tmp_path / "out")
    assert code == 2
    assert is_one_sentence(err)
    assert "no plain file" in err
