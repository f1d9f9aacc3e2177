"""The layer that a human corrects."""

from __future__ import annotations

import threading

import nibabel as nib
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_rdl.case import load_case
from napari_rdl.errors import CaseError, OutputError
from napari_rdl.plugin.viewer.corrected import CorrectedLayer, correct_a_copy, corrected_name, save_corrected
from napari_rdl.plugin.viewer.prediction import PredictionLayer


@pytest.fixture(scope="module")
def case(brats_folder):
    return load_case(brats_folder)


def test_a_corrected_copy_is_editable_and_its_own(case):
    viewer = ViewerModel()
    prediction = PredictionLayer(viewer, case)
    classes = case.truth()
    prediction.show(classes)
    copy = correct_a_copy(viewer, prediction.layer)
    assert copy.editable
    assert viewer.layers.selection.active is copy
    copy.data[0, 0, 0] = 3
    assert prediction.layer.data[0, 0, 0] == 0
    prediction.show(np.zeros_like(classes))
    assert np.count_nonzero(copy.data) == np.count_nonzero(classes) + 1


def test_a_corrected_copy_is_saved_on_the_native_grid(case, brats_folder, tmp_path):
    viewer = ViewerModel()
    prediction = PredictionLayer(viewer, case)
    prediction.show(case.truth())
    copy = correct_a_copy(viewer, prediction.layer)
    assert corrected_name(copy) == "BraTS2021_90001_seg_corrected.nii.gz"
    saved = nib.load(save_corrected(copy, tmp_path / corrected_name(copy)))
    truth = nib.load(brats_folder / "BraTS2021_90001_seg.nii.gz")
    np.testing.assert_array_equal(saved.affine, truth.affine)
    np.testing.assert_array_equal(np.asarray(saved.dataobj), np.asarray(truth.dataobj))
    assert saved.get_data_dtype() == np.uint8


def test_a_label_that_is_no_class_is_refused_and_nothing_written(case, tmp_path):
    viewer = ViewerModel()
    copy = correct_a_copy(viewer, PredictionLayer(viewer, case).layer)
    copy.data[1, 1, 1] = 7
    with pytest.raises(OutputError, match="the label 7, which is no class"):
        save_corrected(copy, tmp_path / "a.nii.gz")
    assert not list(tmp_path.iterdir())


def test_a_layer_of_nobody_cannot_be_saved_as_corrected(tmp_path):
    with pytest.raises(CaseError, match="does not come from a patient"):
        save_corrected(Labels(np.zeros((2, 2, 2), np.uint8)), tmp_path / "a.nii.gz")


def test_packing_is_done_in_a_thread_while_the_window_lives(case, tmp_path, qapp, monkeypatch):
    import napari_rdl.case

    threads = []
    save_correction = napari_rdl.case.save_correction

    def slowly(*arguments):
        threads.append(threading.current_thread())
        return save_correction(*arguments)

    monkeypatch.setattr(napari_rdl.case, "save_correction", slowly)
    viewer = ViewerModel()
    corrected = CorrectedLayer(viewer)
    layer = corrected.start(PredictionLayer(viewer, case))
    layer.data[1, 1, 1] = 3
    assert corrected.unsaved
    corrected.save(tmp_path / "a.nii.gz")
    assert threads
    assert threading.main_thread() not in threads
    assert not corrected.unsaved
    layer.data[1, 1, 2] = 3
    assert corrected.unsaved
