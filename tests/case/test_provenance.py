import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from napari_rdl.case import (
    InputRecord,
    Provenance,
    WeightsRecord,
    case_from_arrays,
    file_sha256,
    input_records,
    load_case,
)
from napari_rdl.errors import CaseError, OutputError


@pytest.fixture
def record(brats_folder: Path) -> Provenance:
    case = load_case(brats_folder)
    return Provenance(
        case=case.name,
        modalities=("T1c", "FLAIR"),
        inputs=input_records(case, ("T1c", "FLAIR")),
        weights=WeightsRecord(name="tiny", sha256="0" * 64),
        device="cpu",
        precision="float32",
        settings={"tile": 64},
        labels=case.convention.name,
        output="BraTS2021_90001_seg_T1c+FLAIR.nii.gz",
    )


def test_a_record_comes_back_as_it_was_saved(record: Provenance, tmp_path: Path) -> None:
    path = record.save(tmp_path / "out" / "x_seg.json")
    assert Provenance.read(path) == record
    content = json.loads(path.read_text())
    assert set(content["versions"]) >= {"python", "napari_rdl", "torch", "monai", "nibabel", "numpy"}
    assert content["modalities"] == ["T1c", "FLAIR"]


def test_inputs_are_named_with_their_hash(record: Provenance, brats_folder: Path) -> None:
    path = brats_folder / "BraTS2021_90001_t1ce.nii.gz"
    assert record.inputs["T1c"] == InputRecord(
        path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest()
    )


def test_an_image_without_a_file_is_hashed_by_its_voxels() -> None:
    image = np.arange(27, dtype=np.float32).reshape(3, 3, 3)
    records = [
        input_records(case_from_arrays({"T1": array}, np.eye(4), name="x"))["T1"]
        for array in (image, image.copy(), image + 1)
    ]
    assert records[0].path is None
    assert records[0] == records[1]
    assert records[0] != records[2]


def test_a_changed_file_has_another_hash(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    first = file_sha256(path)
    assert first == hashlib.sha256(b"one").hexdigest()
    path.write_bytes(b"three")
    assert file_sha256(path) == hashlib.sha256(b"three").hexdigest()


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"gone.nii cannot be read"):
        file_sha256(tmp_path / "gone.nii")


@pytest.mark.parametrize("content", ["", "text", "[]", "{}", '{"case": 1}'])
def test_what_is_no_record_is_refused_in_a_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(CaseError, match=r"x.json is no record of a run \(.*\): give the JSON") as caught:
        Provenance.read(path)
    assert "\n" not in str(caught.value)


def test_a_record_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"absent.json cannot be read"):
        Provenance.read(tmp_path / "absent.json")


def test_unknown_fields_are_not_swallowed(record: Provenance) -> None:
    with pytest.raises(ValidationError, match="subset"):
        Provenance.model_validate({**record.model_dump(), "subset": ["T1"]})


def test_a_folder_that_cannot_be_written(record: Provenance, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        record.save(tmp_path / "file" / "x.json")
