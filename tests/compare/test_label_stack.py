"""The compact stack gives back every subset's labels."""

import gc
import weakref

import numpy as np
import pytest

from napari_rdl.brats import SUBSETS
from napari_rdl.case import load_case
from napari_rdl.compare import LabelStack, study_subsets
from napari_rdl.errors import Cancelled, CaseError
from napari_rdl.segment import SegmentSettings, encode


def test_every_subset_comes_back_as_combined(stack, representations):
    assert stack.subsets == SUBSETS
    for subset in SUBSETS:
        labels = stack.labels(subset)
        assert labels.dtype == np.uint8
        assert np.array_equal(labels, representations.labels(subset))
    assert np.array_equal(stack.labels(("FLAIR", "T1c")), stack.labels(("T1c", "FLAIR")))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_equals_the_volume_there(stack, axis):
    volume = stack.labels(("T1c",))
    for index in (0, volume.shape[axis] // 2, volume.shape[axis] - 1):
        assert np.array_equal(stack.label_slice(("T1c",), axis, index), volume.take(index, axis))
    with pytest.raises(IndexError):
        stack.label_slice(("T1c",), axis, volume.shape[axis])


def test_it_is_compact(stack):
    spoken = np.any([stack.labels(subset) for subset in SUBSETS], axis=0)
    assert len(stack.voxels) == np.count_nonzero(spoken)
    assert stack.nbytes == np.count_nonzero(spoken) * (8 + 15)


def test_counts_and_joint_counts_are_those_of_the_volumes(stack, case):
    truth = case.truth()
    joint, counts = stack.joint_counts(truth), stack.counts()
    for row, subset in enumerate(SUBSETS):
        labels = stack.labels(subset)
        assert np.array_equal(counts[row], np.bincount(labels.ravel(), minlength=4))
        expected = [[np.count_nonzero((labels == i) & (truth == j)) for j in range(4)] for i in range(4)]
        assert np.array_equal(joint[row], expected)


def test_a_box_holds_all_tumour(stack):
    labels, (x, y, z) = stack.boxed(("T1", "T2"))
    whole = np.zeros(stack.shape, np.uint8)
    whole[x : x + labels.shape[0], y : y + labels.shape[1], z : z + labels.shape[2]] = labels
    assert np.array_equal(whole, stack.labels(("T1", "T2")))


def test_no_tumour_anywhere_is_an_empty_stack():
    stack = LabelStack.from_labels({("T1",): np.zeros((4, 5, 6), np.uint8)})
    assert stack.nbytes == 0
    assert not stack.labels(("T1",)).any()
    assert not stack.boxed(("T1",))[0].any()
    assert stack.counts().tolist() == [[120, 0, 0, 0]]


def test_made_by_hand(two_modalities):
    stack = LabelStack.from_labels(two_modalities)
    assert stack.subsets == (("FLAIR",), ("T1",), ("T1", "FLAIR"))
    for subset, labels in two_modalities.items():
        assert np.array_equal(stack.labels(subset), labels)
    del two_modalities["T1",]
    with pytest.raises(ValueError, match="no labels of the subset T1"):
        LabelStack.from_labels(two_modalities)


def test_saved_and_loaded(stack, tmp_path):
    again = LabelStack.load(stack.save(tmp_path / "labels.npz"))
    assert again.modalities == stack.modalities
    assert again.shape == stack.shape
    assert np.array_equal(again.voxels, stack.voxels)
    assert np.array_equal(again.classes, stack.classes)


def test_broken_files_are_refused(stack, tmp_path):
    path = stack.save(tmp_path / "labels.npz")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CaseError, match=r"labels\.npz does not hold the labels of a study"):
        LabelStack.load(path)
    with pytest.raises(CaseError, match="run the study again"):
        LabelStack.load(tmp_path / "none.npz")
    odd = LabelStack(stack.shape, stack.modalities, stack.voxels + 10**9, stack.classes)
    with pytest.raises(CaseError, match="does not hold"):
        LabelStack.load(odd.save(path))


def test_progress_and_cancel(representations):
    seen = []
    LabelStack.collect(representations, progress=lambda done, total, message: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]
    with pytest.raises(Cancelled):
        LabelStack.collect(representations, cancelled=lambda: True)


def test_what_was_combined_is_kept_as_long_as_what_was_encoded(tiny_model, brats_folder):
    encoded = encode(load_case(brats_folder), tiny_model, settings=SegmentSettings(device="cpu", tile=16))
    stack = LabelStack.of(encoded)
    assert study_subsets(encoded).stack is stack
    expected = LabelStack.collect(encoded)
    assert np.array_equal(stack.classes, expected.classes)
    assert np.array_equal(stack.voxels, expected.voxels)
    gone = weakref.ref(stack)
    del stack, encoded
    gc.collect()
    assert gone() is None
