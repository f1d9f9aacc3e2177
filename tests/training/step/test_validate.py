"""Validation on prepared patients, against the segmentation room and the metrics."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_rdl.boxes import bounding_box
from napari_rdl.brats import MODALITIES, REGIONS, SUBSETS, subset_name
from napari_rdl.case import load_case
from napari_rdl.cohort.patients import folder_patients
from napari_rdl.metrics import region_dice, region_scores
from napari_rdl.segment import SegmentSettings, encode, prepared_labels
from napari_rdl.training.config import DataConfig
from napari_rdl.training.data.cache import PatientCache
from napari_rdl.training.step.validate import mean_scores, overall, validate


@given(st.integers(0, 50), st.integers(1, 4), st.integers(1, 4))
def test_dice_as_the_metrics_say(seed, kinds, others):
    rng = np.random.default_rng(seed)
    predicted = rng.integers(0, kinds, (3, 4, 2)).astype(np.uint8)
    truth = rng.integers(0, others, (3, 4, 2)).astype(np.uint8)
    expected = region_scores(predicted, truth, (1, 1, 1), distances=False)
    assert region_dice(predicted, truth) == pytest.approx(
        {name: row["dice"] for name, row in expected.items()}
    )


@pytest.fixture
def cached(patients_folder, cache_folder):
    cache = PatientCache(DataConfig(), MODALITIES, cache_folder)
    return [cache.get(patient) for patient in folder_patients(patients_folder)]


def test_predictions_are_those_of_inference(cached, patients_folder, tiny_model):
    """At the files' own spacing nothing is resampled, so both ways must agree."""
    from dataclasses import replace

    card = tiny_model.card.model_copy(update={"spacing": (1.0, 1.0, 1.0)})
    case = load_case(folder_patients(patients_folder)[0].folder)
    settings = SegmentSettings(device="cpu", precision="float32", tile=32, overlap=0.25)
    representations = encode(case, replace(tiny_model, card=card), settings=settings)
    brain = np.any([image != 0 for image in case.images.values()], axis=0)
    box = bounding_box(brain | (case.truth() > 0))

    patient = cached[0]
    images = torch.from_numpy(patient.images())
    found = dict(
        prepared_labels(
            tiny_model.network, images, patient.present, tile=32, overlap=0.25, precision="float32"
        )
    )
    assert tuple(found) == SUBSETS
    for subset, labels in found.items():
        # Prepared intensities are rounded to 16 bits, so a voxel on the edge of two classes may differ.
        assert (labels == representations.labels(subset)[box]).mean() > 0.995


def test_missing_modalities_leave_their_subsets_out(cached, tiny_model):
    sums, counts = validate(tiny_model.network, cached, tile=32, overlap=0)
    assert sums.shape == (15, 3)
    with_t2 = [index for index, subset in enumerate(SUBSETS) if "T2" in subset]
    assert counts[with_t2].ravel().tolist() == [3] * 8
    assert np.delete(counts, with_t2).tolist() == [4] * 7
    only_last = mean_scores(*validate(tiny_model.network, cached[3:], tile=32, overlap=0), MODALITIES)
    assert list(only_last) == [subset_name(subset) for subset in SUBSETS if "T2" not in subset]


def test_sums_add_up_over_processes(cached, tiny_model):
    together = validate(tiny_model.network, cached, tile=32, overlap=0)
    shares = [validate(tiny_model.network, cached[rank::2], tile=32, overlap=0) for rank in range(2)]
    for whole, *parts in zip(together, *shares, strict=True):
        np.testing.assert_allclose(sum(parts), whole)


def test_overall_is_the_mean_over_subsets_and_regions():
    sums, counts = np.arange(45.0).reshape(15, 3), np.full((15, 1), 2.0)
    scores = mean_scores(sums, counts, MODALITIES)
    assert scores["FLAIR"] == dict(zip(REGIONS, (0.0, 0.5, 1.0), strict=True))
    assert overall(scores) == pytest.approx(11.0)


def test_training_mode_comes_back(cached, tiny_model):
    tiny_model.network.train()
    validate(tiny_model.network, cached[:1], tile=32, overlap=0)
    assert tiny_model.network.training
