"""What is written: the prediction, a correction on the native grid, the page."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
from qtpy.QtWidgets import QFileDialog, QMessageBox

from tests.plugin.seen import answer


def test_corrections_are_saved_on_the_native_grid(encoded, brats_folder, tmp_path, monkeypatch, finish):
    encoded.saving.correct_a_copy()
    layer = encoded.saving.corrected.layer
    layer.data[:] = 0
    layer.data[3:6, 4:9, 2:4] = 3
    path = tmp_path / "out" / "mine"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    assert encoded.saving.corrected.unsaved
    encoded.saving.box.save_corrected_button.click()
    assert not encoded.saving.corrected.unsaved
    written = nib.load(tmp_path / "out" / "mine.nii.gz")
    image = nib.load(next(brats_folder.glob("*_t1.nii.gz")))
    np.testing.assert_array_equal(written.affine, image.affine)
    assert written.shape == image.shape
    values, counts = np.unique(np.asarray(written.dataobj), return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True))[4] == 3 * 5 * 2


def test_saving_the_prediction_writes_the_subset_shown_and_asks_before_replacing(
    encoded, tmp_path, monkeypatch, finish
):
    encoded.set_subset(("T1c", "FLAIR"))
    path = tmp_path / "BraTS2021_90001_seg_T1c+FLAIR.nii.gz"
    # The name that is suggested, in a folder of the user's choice; a name without ending gets one.
    chosen = lambda _parent, _title, start, _kinds: (str(tmp_path / Path(start).name[:-7]), "")  # noqa: E731
    monkeypatch.setattr(QFileDialog, "getSaveFileName", chosen)
    encoded.saving.box.save_prediction_button.click()
    finish(encoded)
    assert path.is_file()
    assert path.with_name("BraTS2021_90001_seg_T1c+FLAIR.json").is_file()
    before = path.stat().st_mtime_ns
    asked = answer(monkeypatch, QMessageBox.StandardButton.No)
    encoded.saving.box.save_prediction_button.click()
    finish(encoded)
    assert len(asked) == 1
    assert path.stat().st_mtime_ns == before


def test_a_folder_that_cannot_be_written_is_said(encoded, tmp_path, finish):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    encoded.saving.save_prediction(blocked / "out" / "a.nii.gz")
    finish(encoded)
    assert encoded.messages.messages[0][0] == "error"
    assert str(blocked) in encoded.messages.messages[0][1]
    assert encoded.saving.box.status.text() == ""
    encoded.saving.save_prediction(tmp_path / "a.nii.gz")
    finish(encoded)
    assert not encoded.messages.messages, "what went well is not said to have gone wrong"


def test_the_summary_page_has_what_the_widget_shows_and_what_was_corrected(encoded, tmp_path, finish):
    encoded.saving.correct_a_copy()
    encoded.saving.corrected.layer.data[:] = 0
    encoded.saving.corrected.layer.data[3:6, 4:9, 2:4] = 3
    path = tmp_path / "page.html"
    encoded.saving.save_summary(path)
    finish(encoded)
    page, volumes = path.read_text(), encoded.updater.segmentation.volumes_ml()
    assert f"<td>{volumes['WT']:.1f}</td>" in page
    assert f"<td>{3 * 5 * 2 / 1000:.1f}</td>" in page
    assert "expert mask" in page
    assert json.loads(path.with_suffix(".json").read_text())["kind"] == "summary"
    assert f"Saved page.html in {tmp_path}." in encoded.saving.box.status.text()
