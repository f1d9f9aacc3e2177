"""The widget's state without Qt: subsets, the cache and its key."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from napari_rdl.callbacks import ignore_progress, never_cancelled
from napari_rdl.case import case_from_arrays, load_case
from napari_rdl.errors import Cancelled
from napari_rdl.plugin.segment.session import RunChoice, Session
from tests.conftest import tiny_arrays

BUDGET = 10**9


@pytest.fixture(scope="module")
def case(brats_folder):
    return load_case(brats_folder)


@pytest.fixture
def session() -> Session:
    return Session(BUDGET)


@pytest.fixture
def choice(tiny_checkpoint) -> RunChoice:
    return RunChoice(model=tiny_checkpoint, device="cpu", precision="float32")


def encode(session, case, choice):
    return session.encode(case, choice, ignore_progress, never_cancelled)


def test_subsets_are_ordered_and_never_empty(session, case, choice):
    heard = []
    session.subset_changed.connect(heard.append)
    session.set_case(case)
    session.set_subset(("T1",))
    assert session.subset == (), "nothing was encoded yet"
    session.set_representations(encode(session, case, choice))
    session.set_subset(("FLAIR", "T1c"))
    assert session.subset == ("T1c", "FLAIR")
    session.flip("T1c")
    session.flip("FLAIR")
    assert session.subset == ("FLAIR",)
    session.set_subset(("FLAIR",))
    session.flip("T1")
    assert heard == [("T1", "T1c", "T2", "FLAIR"), ("T1c", "FLAIR"), ("FLAIR",), ("T1", "FLAIR")]


def test_a_new_run_keeps_the_subset_and_a_new_patient_does_not(session, case, choice):
    session.set_case(case)
    representations = encode(session, case, choice)
    session.set_representations(representations)
    session.set_subset(("T2",))
    session.set_representations(representations)
    assert session.subset == ("T2",)
    session.set_case(case)
    assert session.subset == ()
    assert session.representations is None


def test_what_was_encoded_comes_back_and_only_for_the_same_files_model_and_device(
    session, brats_folder, tmp_path, choice, tiny_checkpoint
):
    folder = shutil.copytree(brats_folder, tmp_path / brats_folder.name)
    case = load_case(folder)
    assert session.recall(case, choice) is None
    first = encode(session, case, choice)
    again = load_case(folder)
    assert encode(session, again, choice) == first.of(again)
    assert session.recall(case, RunChoice(tiny_checkpoint, "auto", "float32")) is None
    assert session.recall(load_case(folder, modalities=["T1"]), choice) is None
    copy = shutil.copy(tiny_checkpoint, tmp_path / "same.safetensors")
    assert session.recall(case, RunChoice(copy, "cpu", "float32")) == first, (
        "the content counts, not the name"
    )
    t2 = next(folder.glob("*_t2.nii.gz"))
    os.utime(t2, ns=(1, 1))
    assert session.recall(case, choice) is None


def test_arrays_are_known_again_by_their_content(session, choice):
    images, _ = tiny_arrays()
    kept = {"T1c": images["T1c"]}
    first = encode(session, case_from_arrays(kept, np.eye(4), name="mine"), choice)
    again = case_from_arrays(kept, np.eye(4), name="mine")
    assert session.recall(again, choice) == first.of(again)
    other = {"T1c": images["T1c"] + 1}
    assert session.recall(case_from_arrays(other, np.eye(4), name="mine"), choice) is None


def test_the_same_arrays_on_another_grid_are_another_patient(session, choice):
    images, _ = tiny_arrays()
    kept = {"T1c": images["T1c"]}
    encode(session, case_from_arrays(kept, np.eye(4), name="mine"), choice)
    wider = case_from_arrays(kept, np.diag([2.0, 2.0, 2.0, 1.0]), name="mine")
    assert session.recall(wider, choice) is None


def test_a_small_budget_lets_the_earlier_patient_go(case, choice):
    session = Session(1)
    encode(session, case, choice)
    images, _ = tiny_arrays(1)
    encode(session, case_from_arrays(images, np.eye(4), name="other"), choice)
    assert session.recall(case, choice) is None


def test_a_budget_that_shrinks_lets_the_earlier_patient_go_at_once(session, case, choice):
    encode(session, case, choice)
    images, _ = tiny_arrays(1)
    other = case_from_arrays(images, np.eye(4), name="other")
    latest = encode(session, other, choice)
    session.set_budget(1)
    assert session.recall(case, choice) is None
    assert session.recall(other, choice) == latest


def test_a_cancelled_encode_leaves_nothing_in_the_cache(session, case, choice):
    with pytest.raises(Cancelled):
        session.encode(case, choice, ignore_progress, lambda: True)
    assert session.recall(case, choice) is None
