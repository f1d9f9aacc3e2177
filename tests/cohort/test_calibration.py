"""Calibration against other people's code, and on logits whose right temperature is known."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torchmetrics.functional.classification import multiclass_calibration_error

from napari_rdl.cohort.calibration import calibrate, expected_calibration_error, fit_temperature
from napari_rdl.cohort.patients import folder_patients
from napari_rdl.errors import CaseError
from napari_rdl.models import load_model
from napari_rdl.segment import SegmentSettings

CPU = SegmentSettings(device="cpu", tile=16)


@pytest.fixture
def drawn():
    """Logits (N, 4), and classes that were drawn from the probabilities that they say."""
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (20_000, 4))
    chances = softmax(logits, axis=1).cumsum(axis=1)
    return logits, (rng.random((len(logits), 1)) > chances[:, :3]).sum(axis=1)


@pytest.mark.parametrize("bins", [15, 4])
def test_the_error_is_that_of_torchmetrics(drawn, bins):
    logits, truth = drawn
    probabilities = softmax(3 * logits, axis=1)
    expected = multiclass_calibration_error(
        torch.from_numpy(probabilities), torch.from_numpy(truth), num_classes=4, n_bins=bins
    )
    assert expected_calibration_error(probabilities, truth, bins) == pytest.approx(float(expected), abs=1e-5)
    assert float(expected) > 0.1


def test_one_bin_by_hand():
    probabilities = np.array([[0.78, 0.22], [0.78, 0.22], [0.21, 0.79], [0.3, 0.7]])
    # Two voxels of 0.78 and one of 0.79 share a bin: two of three are right; 0.7 stands alone and is right.
    expected = (3 * abs(2 / 3 - 2.35 / 3) + abs(1 - 0.7)) / 4
    assert expected_calibration_error(probabilities, np.array([0, 1, 1, 1])) == pytest.approx(expected)
    assert expected_calibration_error(probabilities[:0], np.array([], int)) == 0


@pytest.mark.parametrize("factor", [0.5, 1, 3])
def test_the_temperature_takes_back_what_made_logits_too_sure(drawn, factor):
    logits, truth = drawn
    # A row's constant, as logarithms of probabilities lack, changes nothing.
    shifted = factor * logits + np.arange(len(logits))[:, None] % 7
    assert fit_temperature(shifted, truth) == pytest.approx(factor, rel=0.05)
    mended = softmax(factor * logits / fit_temperature(shifted, truth), axis=1)
    assert expected_calibration_error(mended, truth) < 0.02


def test_every_subset_of_patients_has_a_temperature_that_helps(patients_folder, tiny_checkpoint):
    model = load_model(tiny_checkpoint)
    told = []
    found = calibrate(
        model,
        folder_patients(patients_folder)[2:],
        settings=CPU,
        voxels=1500,
        progress=lambda done, total, message: told.append((done, total)),
    )
    assert next(iter(found)) == "FLAIR"
    assert len(found) == 15
    assert found["FLAIR"].patients == 2
    assert found["T1+T1c+T2+FLAIR"].patients == 1, "one of them has no T2"
    # Random weights are sure of nonsense: less sure is nearer to the truth.
    assert all(one.temperature > 1 and one.after < one.before for one in found.values())
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_temperatures_that_a_card_has_are_left_aside(patients_folder, tiny_checkpoint):
    model = load_model(tiny_checkpoint)
    patients = folder_patients(patients_folder)[3:]
    hot = replace(model, card=model.card.model_copy(update={"temperatures": {"T1": 5.0}}))
    assert calibrate(hot, patients, settings=CPU, voxels=500) == calibrate(
        model, patients, settings=CPU, voxels=500
    )


def test_a_patient_without_a_mask_is_named(patients_folder, tiny_checkpoint, tmp_path):
    folder = shutil.copytree(patients_folder / "BraTS2021_91000", tmp_path / "BraTS2021_91000")
    next(folder.glob("*_seg*")).unlink()
    with pytest.raises(CaseError, match="no mask"):
        calibrate(load_model(tiny_checkpoint), folder_patients(folder), settings=CPU)
