"""What is opened: one patient, several, layers without a file, grids that differ, and what cannot be read."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_rdl.brats import MODALITIES
from napari_rdl.cohort.worklist import Worklist
from napari_rdl.plugin.segment import widget as widget_module
from napari_rdl.plugin.settings import PluginSettings
from tests.plugin.seen import layer_state, of_role


def cut_off(folder):
    path = next(folder.glob("*_t1ce.nii.gz"))
    path.write_bytes(path.read_bytes()[:200])


def text_file(folder):
    path = next(folder.glob("*_t2.nii.gz"))
    path.write_bytes(gzip.compress(b"this is no image"))


def no_modality(folder):
    for path in folder.glob("*.nii.gz"):
        path.unlink()


@pytest.mark.parametrize("damage", [cut_off, text_file, no_modality])
def test_a_patient_that_cannot_be_read_touches_no_layer(encoded, brats_folder, tmp_path, finish, damage):
    bad = tmp_path / "BraTS2021_90001"
    bad.mkdir()
    for path in brats_folder.iterdir():
        (bad / path.name).write_bytes(path.read_bytes())
    damage(bad)
    before = layer_state(encoded.viewer)
    case, representations = encoded.session.case, encoded.session.representations
    encoded.open_patient(bad)
    finish(encoded)
    ((level, sentence),) = encoded.messages.messages
    assert level == "error"
    assert str(bad) in sentence or bad.name in sentence
    assert layer_state(encoded.viewer) == before
    assert encoded.session.case is case
    assert encoded.session.representations is representations


def test_different_grids_are_refused_and_resampled_when_asked(widget, brats_folder, tmp_path, finish):
    folder = tmp_path / "shifted"
    folder.mkdir()
    for path in brats_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    flair = next(folder.glob("*_flair.nii.gz"))
    image = nib.load(flair)
    affine = image.affine.copy()
    affine[:3, 3] += 2.5
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine), flair)
    widget.open_patient(folder)
    finish(widget)
    assert "flair" in widget.messages.messages[0][1]
    assert len(widget.viewer.layers) == 0
    assert widget.patient_box.resample_button.isVisibleTo(widget)
    widget.patient_box.resample_button.click()
    finish(widget)
    assert widget.session.case.resampled
    assert not widget.patient_box.resample_button.isVisibleTo(widget)
    assert len(widget.viewer.layers) == len(MODALITIES)


def test_layers_without_a_file_are_segmented_on_their_own_grid(widget, finish):
    from tests.conftest import tiny_arrays

    images, _ = tiny_arrays()
    layers = {
        name: widget.viewer.add_image(image, name=f"mine {name}", scale=(1, 1, 2), translate=(5, 6, 7))
        for name, image in images.items()
        if name in ("T1c", "FLAIR")
    }
    before = layer_state(widget.viewer)
    assert widget.patient_box.layer_assignment.assigned() == layers
    widget.use_layers(layers, run=True)
    finish(widget)
    finish(widget)
    case = widget.session.case
    assert case.modalities == ("T1c", "FLAIR")
    assert any("without a file" in message for _, message in widget.patient_box.findings.messages)
    (prediction,) = of_role(widget.viewer, "prediction")
    assert tuple(prediction.scale) == (1, 1, 2)
    assert tuple(prediction.translate) == (5, 6, 7)
    assert layer_state(widget.viewer)[:2] == before
    assert widget.switches.switches["FLAIR"].isEnabled()
    assert not widget.switches.switches["T1"].isEnabled()


def test_a_folder_of_several_patients_offers_their_list(
    widget, patients_folder, finish, monkeypatch, tmp_path
):
    widget.open_patient(patients_folder)
    finish(widget)
    patients = widget.patient_box.patients
    assert widget.session.case is None
    assert [patients.box.itemText(number) for number in range(4)] == [
        f"BraTS2021_9100{number}" for number in range(4)
    ]
    assert patients.box.placeholderText() == "4 patients: choose one"
    path = tmp_path / "days.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path.with_suffix("")), ""))
    patients.worklist_button.click()
    desk = widget.viewer.window.dock_widgets["Correct labels (napari-rdl)"]
    assert desk.working.box.patients.count() == 4
    assert [entry.name for entry in Worklist(path, read_only=True).entries][-1] == "BraTS2021_91003"
    desk.shut_down()
    monkeypatch.setattr(widget_module, "plugin_settings", lambda: PluginSettings(run_on_open=True))
    patients.after_button.click()
    finish(widget)
    assert widget.session.case.name == "BraTS2021_91000"
    assert widget.session.representations is not None, "it runs when a patient opens, where that is set"
    assert patients.box.currentIndex() == 0
    assert not patients.before_button.isEnabled()
    widget.open_patient(patients_folder / "BraTS2021_91003")
    finish(widget)
    assert patients.box.currentIndex() == 3
