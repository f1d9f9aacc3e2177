"""A study that is opened again, and files in its place that are none."""

import json
import shutil

import numpy as np
import pytest

from napari_rdl.brats import SUBSETS
from napari_rdl.cohort import load_study
from napari_rdl.cohort.study import study_cohort
from napari_rdl.errors import CaseError
from tests.cohort.conftest import FAST, named
from tests.compare.conftest import QUICK


def test_opened_again_it_needs_no_encoding(finished, representations, encodings):
    study = load_study(finished.folder)
    assert study == finished
    patient = named(study, "A")
    case = study.load_case(patient)
    opened = study.open(patient, case)
    assert encodings == []
    assert opened.rows == patient.rows
    assert list(opened.measure_distances()) == []
    for subset in SUBSETS:
        assert np.array_equal(opened.labels(subset), representations.labels(subset))
    assert opened.worth() == patient.worth
    assert study.picture(patient).is_file()
    assert study.open(named(study, "C"), study.load_case(named(study, "C"))).reference is None


@pytest.mark.usefixtures("undrawn")
def test_begun_anew_it_is_not_mixed_with_what_was(cohort, tiny_model, tmp_path):
    study_cohort(cohort / "BraTS2021_C", tiny_model, tmp_path, settings=FAST, segment=QUICK)
    path = tmp_path / "patients" / "BraTS2021_C.json"
    path.write_text(path.read_text().replace('"key": "', '"key": "0'))
    with pytest.raises(CaseError, match="begun anew with another model or settings"):
        load_study(tmp_path)
    path.write_text("{")
    with pytest.raises(CaseError, match=r"BraTS2021_C\.json is missing or damaged"):
        load_study(tmp_path)


@pytest.mark.parametrize("name", ["study.json", "patients/BraTS2021_A.json"])
@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"[" * 100_000, b"9" * 5_000, b"[]", b"null", b'{"key": 3}'],
    ids=lambda content: repr(content[:12]),
)
def test_a_studys_files_are_not_trusted(finished, tmp_path, name, content):
    out = tmp_path / "study"
    shutil.copytree(finished.folder, out)
    (out / name).write_bytes(content)
    with pytest.raises(CaseError, match="is missing or damaged"):
        load_study(out)


@pytest.mark.parametrize("modalities", [[f"m{number}" for number in range(40)], 3, [[]]])
def test_a_study_of_no_modalities_that_exist_is_refused(finished, tmp_path, modalities):
    out = tmp_path / "study"
    shutil.copytree(finished.folder, out)
    index = json.loads((out / "study.json").read_text())
    (out / "study.json").write_text(json.dumps({**index, "modalities": modalities}))
    with pytest.raises(CaseError, match="is missing or damaged"):
        load_study(out)


@pytest.mark.parametrize(
    "change",
    [
        {"resample": "perhaps"},
        {"labels": 3},
        {"reference": "../x"},
        {"distances": None},
        {"more": 1},
    ],
    ids=str,
)
def test_a_studys_settings_are_checked_at_the_door(finished, tmp_path, change):
    out = tmp_path / "study"
    shutil.copytree(finished.folder, out)
    index = json.loads((out / "study.json").read_text())
    index["settings"] |= change
    (out / "study.json").write_text(json.dumps(index))
    with pytest.raises(CaseError, match="is missing or damaged"):
        load_study(out)
