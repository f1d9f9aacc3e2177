"""Prepared patients and their cache."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save

from napari_rdl.boxes import bounding_box
from napari_rdl.case import brain_mask, load_case, normalize
from napari_rdl.cohort.patients import folder_patients
from napari_rdl.errors import CaseError, OutputError
from napari_rdl.segment.working_grid import WorkingGrid
from napari_rdl.training.config import DataConfig
from napari_rdl.training.data import cache as caching
from napari_rdl.training.data.cache import PatientCache
from napari_rdl.training.data.making import make_all
from napari_rdl.training.data.prepare import prepare

MODALITIES = ("T1", "T1c", "T2", "FLAIR")


@pytest.fixture
def patient(brats_folder):
    return folder_patients(brats_folder)[0]


def test_at_the_files_own_spacing_nothing_is_resampled(patient, brats_folder):
    prepared = prepare(patient, DataConfig(), MODALITIES)
    case = load_case(brats_folder)
    brain = np.any([image != 0 for image in case.images.values()], axis=0)
    box = bounding_box(brain | (case.truth() > 0))
    np.testing.assert_array_equal(prepared.classes, case.truth()[box])
    for index, name in enumerate(MODALITIES):
        image = case.images[name]
        expected = normalize(image, brain_mask(image))[box]
        np.testing.assert_allclose(prepared.images[index], expected, atol=4e-3)


def test_resampled_as_at_inference(patient, brats_folder):
    prepared = prepare(patient, DataConfig(spacing=(2, 2, 2)), ("T1c",))
    image = load_case(brats_folder).images["T1c"]
    mask = brain_mask(image)
    box = bounding_box(mask)
    grid = WorkingGrid.covering(box, (1.0, 1.0, 1.0), (2.0, 2.0, 2.0))
    expected = grid.to_working(torch.from_numpy(normalize(image, mask)[box])).numpy()
    found = prepared.images[0]
    np.testing.assert_allclose(
        found[bounding_box(found != 0)], expected[bounding_box(expected != 0)], atol=4e-3
    )


def test_labels_keep_their_volume(patient):
    fine = prepare(patient, DataConfig(), MODALITIES)
    coarse = prepare(patient, DataConfig(spacing=(2, 2, 2)), MODALITIES)
    assert 8 * (coarse.classes > 0).sum() == pytest.approx((fine.classes > 0).sum(), rel=0.2)
    assert coarse.spacing == (2, 2, 2)


def test_absent_modality_is_zero_and_said(patients_folder):
    last = folder_patients(patients_folder)[-1]
    prepared = prepare(last, DataConfig(), MODALITIES)
    assert prepared.present.tolist() == [True, True, False, True]
    assert not prepared.images[2].any()
    assert all(prepared.images[index].any() for index in (0, 1, 3))


def test_a_modality_depends_on_itself_alone(patients_folder):
    full, lacking = (folder_patients(patients_folder)[index] for index in (0, 3))
    one, other = (prepare(patient, DataConfig(), MODALITIES) for patient in (full, lacking))
    cut = [image[bounding_box(image != 0)] for image in (one.images[0], other.images[0])]
    np.testing.assert_array_equal(*cut)


def test_patient_without_mask(patient, tmp_path):
    import shutil

    folder = tmp_path / patient.name
    shutil.copytree(patient.folder, folder)
    (folder / f"{patient.name}_seg.nii.gz").unlink()
    with pytest.raises(CaseError, match="has no mask to learn from"):
        prepare(folder_patients(folder)[0], DataConfig(), MODALITIES)


@pytest.fixture
def count_preparations(monkeypatch):
    made = []
    monkeypatch.setattr(
        caching, "prepare", lambda patient, *rest: made.append(patient.name) or prepare(patient, *rest)
    )
    return made


def test_prepared_once(patient, tmp_path, count_preparations):
    for _ in range(3):
        cached = PatientCache(DataConfig(), MODALITIES, tmp_path).get(patient)
    assert len(count_preparations) == 1
    expected = prepare(patient, DataConfig(), MODALITIES)
    np.testing.assert_array_equal(cached.images(), expected.images.astype(np.float32))
    np.testing.assert_array_equal(cached.classes, expected.classes)
    assert cached.present.all()
    assert cached.spacing == (1, 1, 1)
    box = (slice(1, 4), slice(0, 2), slice(3, 9))
    np.testing.assert_array_equal(cached.images(box), cached.images()[(slice(None), *box)])


@pytest.mark.parametrize("change", [{"spacing": (2, 2, 2)}, {"labels": "brats2013"}, {"resample": True}])
def test_other_settings_prepare_anew(patient, tmp_path, count_preparations, change):
    one = PatientCache(DataConfig(), MODALITIES, tmp_path).get(patient).path
    other = PatientCache(DataConfig(**change), MODALITIES, tmp_path).get(patient).path
    assert one != other
    assert len(count_preparations) == 2


def test_changed_files_prepare_anew(patient, tmp_path):
    import os

    cache = PatientCache(DataConfig(), MODALITIES, tmp_path)
    assert not cache.has(patient)
    cache.get(patient)
    assert cache.has(patient)
    file = next(patient.folder.glob("*_t1.nii.gz"))
    before = file.stat()
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    try:
        assert not cache.has(patient)
    finally:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_changed_code_prepares_anew(patient, tmp_path, monkeypatch):
    PatientCache(DataConfig(), MODALITIES, tmp_path).get(patient)
    monkeypatch.setattr(caching, "code_digest", lambda: "another")
    assert not PatientCache(DataConfig(), MODALITIES, tmp_path).has(patient)


@pytest.mark.parametrize(
    "damage",
    [
        lambda tensors, about: (tensors, {**about, "spacing": [0, 1, 1]}),
        lambda tensors, about: (tensors, {**about, "present": [True]}),
        lambda tensors, about: (tensors, {**about, "midline": "left"}),
        lambda tensors, about: (tensors, [1]),
        lambda tensors, about: ({"images": tensors["images"]}, about),
        lambda tensors, about: ({**tensors, "images": tensors["images"].astype(np.float32)}, about),
        lambda tensors, about: ({**tensors, "classes": tensors["classes"][:-1]}, about),
        None,
    ],
)
def test_damaged_file_is_made_again(patient, tmp_path, damage):
    cache = PatientCache(DataConfig(), MODALITIES, tmp_path)
    path = cache.get(patient).path
    whole = path.read_bytes()
    if damage is None:
        path.write_bytes(whole[:100])
    else:
        with safe_open(path, framework="np") as file:
            about = json.loads(file.metadata()["about"])
        tensors, about = damage(load_file(path), about)
        path.write_bytes(save(tensors, metadata={"about": json.dumps(about)}))
    assert not cache.has(patient)
    assert cache.get(patient).path.read_bytes() == whole


@pytest.mark.parametrize("processes", [1, 2])
def test_all_at_once(patients_folder, tmp_path, processes):
    patients = folder_patients(patients_folder)
    lacking = dataclasses.replace(patients[0], name="empty", folder=tmp_path)
    cache = PatientCache(DataConfig(spacing=(4, 4, 4)), MODALITIES, tmp_path / "cache")
    found = {made.patient: made for made in make_all(cache, [*patients, lacking], processes)}
    assert found.keys() == {*patients, lacking}
    assert [found[patient].whole for patient in patients] == [True, True, True, False]
    assert all(found[patient].path == cache.get(patient).path for patient in patients)
    assert "No NIfTI file" in (found[lacking].reason or "")
    assert all(cache.has(patient) for patient in patients)


def test_cache_that_cannot_be_written(patient, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        PatientCache(DataConfig(), MODALITIES, tmp_path / "file").get(patient)


def test_synthetic_patient_at_the_working_spacing(tmp_path):
    from napari_rdl.cohort.patients import phantoms

    prepared = prepare(phantoms(1, 3)[0], DataConfig(spacing=(4, 4, 4)), MODALITIES)
    assert prepared.images.shape == (4, *prepared.classes.shape)
    assert prepared.images.any((1, 2, 3)).all()


def test_synthetic_tumours_of_the_sizes_asked(tmp_path):
    from napari_rdl.cohort.patients import phantoms

    small, large = (
        DataConfig(spacing=(4, 4, 4), phantom_volume_ml=volume) for volume in ((6.0, 8.0), (90.0, 100.0))
    )
    ordinary, held_out = phantoms(1, 2)[0], phantoms(1, 2, held_out=True)[0]
    volumes = [
        (prepare(ordinary, data, MODALITIES).classes > 0).sum() * 4**3 / 1000 for data in (small, large)
    ]
    assert volumes[0] < 20 < 60 < volumes[1]
    caches = [PatientCache(data, MODALITIES, tmp_path) for data in (small, large)]
    assert len({cache.get(ordinary).path for cache in caches}) == 2
    assert len({cache.get(held_out).path for cache in caches}) == 1  # of ranges of their own


@pytest.mark.parametrize("processes", [1, 2])
def test_a_cache_that_cannot_be_written_is_no_patients_fault(patients_folder, tmp_path, processes):
    from napari_rdl.errors import OutputError
    from napari_rdl.training.data.making import make_all

    (tmp_path / "file").touch()
    cache = PatientCache(DataConfig(), MODALITIES, tmp_path / "file" / "cache")
    with pytest.raises(OutputError, match="cannot be written"):
        list(make_all(cache, folder_patients(patients_folder), processes))
