"""One tiny patient, encoded once."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rdl.case import load_case
from napari_rdl.compare import LabelStack, study_subsets
from napari_rdl.models import load_model
from napari_rdl.segment import SegmentSettings, encode

QUICK = SegmentSettings(device="cpu", precision="float32", tile=32, overlap=0)


@pytest.fixture(scope="session")
def case(brats_folder):
    return load_case(brats_folder)


@pytest.fixture(scope="session")
def representations(case, tiny_checkpoint):
    return encode(case, load_model(tiny_checkpoint), settings=QUICK)


@pytest.fixture(scope="session")
def stack(representations):
    return LabelStack.collect(representations)


@pytest.fixture
def study(representations):
    study = study_subsets(representations, "truth")
    list(study.measure_distances())
    return study


@pytest.fixture
def two_modalities():
    """Subsets of two modalities by hand, on a grid of 6 x 5 x 4."""
    flair, t1, both = (np.zeros((6, 5, 4), np.uint8) for _ in range(3))
    flair[1:4, 1, 1] = 2
    t1[4, 3, 3] = 3
    both[1:4, 1, 1] = 1
    both[4, 3, 3] = 3
    return {("FLAIR",): flair, ("T1",): t1, ("T1", "FLAIR"): both}
