"""Who trains and who validates."""

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_rdl.cohort.patients import patients_of, read_split_file
from napari_rdl.errors import ConfigError
from napari_rdl.training.config import DataConfig
from napari_rdl.training.data.folds import enhancing_share, folds, stratified_folds
from napari_rdl.training.data.sources import choose_patients

NAMES = [f"BraTS2021_9100{number}" for number in range(4)]


def names(patients):
    return [patient.name for patient in patients]


@given(st.integers(2, 60), st.integers(2, 10), st.integers(0, 5))
def test_folds_share_out_everyone_once(count, parts, seed):
    found = folds(count, parts, seed)
    assert sorted(index for fold in found for index in fold) == list(range(count))
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert found == folds(count, parts, seed)


@given(st.lists(st.sampled_from([0.0, 0.1, 0.3, 0.7]), min_size=4, max_size=40), st.integers(2, 4))
def test_stratified_folds_are_alike(values, parts):
    found = stratified_folds(values, parts, 3)
    assert sorted(index for fold in found for index in fold) == list(range(len(values)))
    assert max(map(len, found)) - min(map(len, found)) <= 1
    none = [sum(values[index] == 0 for index in fold) for fold in found]
    assert max(none) - min(none) <= 1
    assert found == stratified_folds(values, parts, 3)


def test_stratified_folds_differ_between_seeds():
    values = [index % 5 / 5 for index in range(30)]
    assert stratified_folds(values, 5, 0) != stratified_folds(values, 5, 1)


def test_share_of_enhancing_tumour(patients_folder):
    patient = patients_of(str(patients_folder))[0]
    _, truth = patient.read_with_truth()
    assert enhancing_share(patient) == (truth == 3).sum() / (truth > 0).sum()


def test_a_folder_is_split_into_folds_that_are_alike(patients_folder):
    validating = []
    for fold in range(2):
        data = DataConfig(source=str(patients_folder), folds=2, fold=fold, stratify="enhancement")
        chosen = choose_patients(data, 0, 16)
        validating += names(chosen.validation)
        assert sorted(chosen.record()["enhancement"]) == NAMES
    assert sorted(validating) == NAMES


def test_folds_differ_between_seeds():
    assert folds(30, 5, 0) != folds(30, 5, 1)


def test_phantoms_validate_on_other_phantoms():
    split = choose_patients(DataConfig(source="phantom:3", phantom_seed=5), 0, 2)
    assert [patient.seed for patient in split.train] == [5, 6, 7]
    assert len(split.validation) == 2
    assert min(patient.seed for patient in split.validation) > 1_000_000


def test_phantoms_kept_aside():
    assert all(patient.held_out for patient in patients_of("phantom:2:held-out"))


def test_phantoms_kept_aside_may_begin_elsewhere():
    first, second = patients_of("phantom:2:held-out:9000")
    assert (first.seed, second.seed, first.held_out) == (9000, 9001, True)
    assert [patient.seed for patient in patients_of("phantom:2:7")] == [7, 8]


def test_a_folder_is_split_into_folds(patients_folder):
    validating = []
    for fold in range(2):
        split = choose_patients(DataConfig(source=str(patients_folder), folds=2, fold=fold), 0, 16)
        assert sorted(names(split.train) + names(split.validation)) == NAMES
        validating += names(split.validation)
    assert sorted(validating) == NAMES


def test_a_folder_with_a_validation_folder_is_not_split(patients_folder, brats_folder):
    data = DataConfig(source=str(patients_folder), validation=str(brats_folder))
    split = choose_patients(data, 0, 16)
    assert names(split.train) == NAMES
    assert names(split.validation) == [brats_folder.name]


@pytest.fixture
def split_file(patients_folder, tmp_path):
    def write(**content):
        path = tmp_path / "split.json"
        path.write_text(json.dumps({"root": str(patients_folder), **content}))
        return path

    return write


def test_split_file(split_file):
    path = split_file(train=NAMES[:2], validation=NAMES[2:3])
    split = choose_patients(DataConfig(source=str(path)), 0, 16)
    assert (names(split.train), names(split.validation), split.test) == (NAMES[:2], NAMES[2:3], ())
    assert split.left_out == {NAMES[3]: "not named in the split file"}
    assert split.record()["train"] == NAMES[:2]


def test_split_file_with_validation_data_of_its_own_says_who_is_left_out(split_file, brats_folder):
    data = DataConfig(source=str(split_file(train=NAMES[:2])), validation=str(brats_folder))
    split = choose_patients(data, 0, 16)
    assert names(split.validation) == [brats_folder.name]
    assert set(split.left_out) == set(NAMES[2:])


def test_root_is_relative_to_the_split_file(patients_folder, tmp_path):
    shutil.copytree(patients_folder, tmp_path / "data")
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"root": "data", "test": NAMES}))
    assert names(patients_of(str(path))) == NAMES


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"train": ["BraTS2021_77777"]}, "names 'BraTS2021_77777', which is not below"),
        ({"train": NAMES[:1], "test": NAMES[:1]}, f"names '{NAMES[0]}' twice"),
        ({"trian": NAMES}, 'must hold "root"'),
        ({"root": "a\0b"}, "is no folder: the name holds a NUL"),
        ({"root": "a\ud800"}, "is no folder: the name holds bytes that are no text"),
        ({"root": "x" * 300}, "is no folder: the name is too long"),
    ],
)
def test_bad_split_file(split_file, content, words):
    with pytest.raises(ConfigError, match=words):
        read_split_file(split_file(**content))


def test_split_file_that_is_no_json(tmp_path):
    path = tmp_path / "split.json"
    path.write_text("train:")
    with pytest.raises(ConfigError, match="is no JSON"):
        read_split_file(path)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "no training data"),
        ("/nowhere", "no folder /nowhere"),
        ("/nowhere/split.json", "cannot be read"),
        ("phantom:0", "at least one"),
    ],
)
def test_bad_source(source, words):
    with pytest.raises(ConfigError, match=words):
        choose_patients(DataConfig(source=source), 0, 4)


def test_folder_without_patients(tmp_path):
    with pytest.raises(ConfigError, match="holds no patients"):
        choose_patients(DataConfig(source=str(tmp_path)), 0, 4)


def test_fewer_patients_than_folds(patients_folder):
    with pytest.raises(ConfigError, match=r"fewer than data\.folds"):
        choose_patients(DataConfig(source=str(patients_folder), folds=5), 0, 4)


def test_nobody_validates_on_whom_they_trained(patients_folder):
    data = DataConfig(source=str(patients_folder), validation=str(patients_folder))
    with pytest.raises(ConfigError, match="among the training and the validation"):
        choose_patients(data, 0, 4)
