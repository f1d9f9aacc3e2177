"""How it is looked at: outlines, planes, the grid of modalities, the tumour, the expert's mask, colours."""

from __future__ import annotations

import shutil

import nibabel as nib
import numpy as np
from app_model.backends.qt import qkeysequence2modelkeybinding
from qtpy.QtGui import QColor, QKeySequence
from qtpy.QtWidgets import QColorDialog

from napari_rdl.brats import CLASS_COLOURS
from napari_rdl.plugin.viewer.class_colours import class_colours
from napari_rdl.plugin.viewer.tumour_view import largest_piece
from tests.plugin.seen import of_role


def test_outlines_switch_the_prediction_and_back(encoded):
    encoded.viewing.box.outlines_box.setChecked(True)
    (outline,) = of_role(encoded.viewer, "outline")
    (prediction,) = of_role(encoded.viewer, "prediction")
    assert outline.visible
    assert not prediction.visible
    encoded.viewing.box.outlines_box.setChecked(False)
    assert prediction.visible
    assert not outline.visible


def test_a_flip_in_another_plane_draws_that_plane(encoded, finish):
    encoded.viewing.box.plane_buttons["coronal"].click()
    assert encoded.viewer.dims.order == (1, 2, 0)
    encoded.viewing.box.plane_buttons["sagittal"].click()
    assert encoded.viewer.dims.order == (0, 2, 1)
    assert encoded.viewing.box.plane_buttons["sagittal"].isChecked()
    (layer,) = of_role(encoded.viewer, "prediction")
    index = round(float(layer.world_to_data(encoded.viewer.dims.point)[0]))
    encoded.session.flip("FLAIR")
    expected = encoded.session.representations.label_slice(("T1", "T1c", "T2"), 0, index)
    np.testing.assert_array_equal(layer.data[index], expected)
    finish(encoded)


def test_the_grid_of_modalities_keeps_up_with_flips(encoded, finish):
    encoded.viewing.box.grid_box.setChecked(True)
    assert encoded.viewer.canvas.grid.enabled
    before = encoded.session.representations.labels()
    twins = of_role(encoded.viewer, "twin")
    assert len(twins) == 3
    drawn = []
    for twin in twins:
        twin.events.set_data.connect(lambda event: drawn.append(event.source))
    encoded.session.flip("T1")
    finish(encoded)
    flipped = encoded.session.representations.labels(("T1c", "T2", "FLAIR"))
    assert (flipped != before).any(), "a model that hears its input"
    for twin in twins:
        assert twin in drawn
        np.testing.assert_array_equal(twin.data, flipped)
    encoded.viewing.box.grid_box.setChecked(False)
    assert not encoded.viewer.canvas.grid.enabled
    (layer,) = of_role(encoded.viewer, "prediction")
    assert of_role(encoded.viewer, "twin") == []
    np.testing.assert_array_equal(layer.data, flipped)


def test_after_a_run_the_view_goes_to_the_tumour_once_and_the_key_goes_there_again(encoded, finish):
    viewer, segmentation = encoded.viewer, encoded.updater.segmentation
    box, piece = largest_piece(segmentation.labels)
    most = box[2].start + int(piece.sum(axis=(0, 1)).argmax())
    assert viewer.dims.current_step[2] == most
    elsewhere = (most + 3) % segmentation.labels.shape[2]
    viewer.dims.set_current_step(2, elsewhere)
    encoded.run()
    finish(encoded)
    assert viewer.dims.current_step[2] == elsewhere
    viewer.keymap[qkeysequence2modelkeybinding(QKeySequence("T"))](viewer)
    assert viewer.dims.current_step[2] == most
    assert encoded.viewing.box.tumour_button.isEnabled()


def test_the_experts_mask_is_a_click_away_and_resampled_where_that_is_asked_for(
    widget, brats_folder, tmp_path, finish
):
    folder = shutil.copytree(brats_folder, tmp_path / "BraTS2021_90002")
    for file in sorted(folder.iterdir()):
        file.rename(folder / file.name.replace("90001", "90002"))
    mask = folder / "BraTS2021_90002_seg.nii.gz"
    image = nib.load(mask)
    coarse = np.asarray(image.dataobj)[::2]
    affine = image.affine @ np.diag([2, 1, 1, 1])
    affine[:3, 3] += image.affine[:3, 0] / 2
    nib.save(nib.Nifti1Image(coarse, affine), mask)
    widget.open_patient(folder)
    finish(widget)
    box = widget.viewing.box.expert_box
    assert not widget.patient_box.resample_button.isHidden(), "what does not fit is offered resampling"
    box.click()
    finish(widget)
    assert not box.isChecked()
    widget.patient_box.resample_button.click()
    finish(widget)
    box.click()
    finish(widget)
    (layer,) = of_role(widget.viewer, "expert")
    assert layer.visible
    repeated = np.repeat(np.array([0, 1, 2, 0, 3], np.uint8)[coarse], 2, axis=0)[::-1, ::-1]
    np.testing.assert_array_equal(layer.data, repeated)
    box.click()
    assert not layer.visible
    assert of_role(widget.viewer, "expert") == [layer]


def test_a_colour_that_was_chosen_holds_everywhere_and_is_remembered(encoded, finish, monkeypatch):
    encoded.viewing.box.outlines_box.setChecked(True)
    encoded.saving.correct_a_copy()
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor("#00ff00"))
    box = encoded.viewing.box
    box.outlines_box.setChecked(False)
    class_colours.read_again()  # from this test's own folder of settings
    try:
        box._legend_rows[1][0].click()
        shown = [*of_role(encoded.viewer, "prediction"), *of_role(encoded.viewer, "corrected")]
        assert [tuple(layer.colormap.color_dict[2]) for layer in shown] == [(0, 1, 0, 1)] * 2
        (outlines,) = of_role(encoded.viewer, "outline")
        assert tuple(outlines.colormap.color_dict[1]) == (0, 1, 0, 1)
        assert not box.own_colours_button.isHidden()
        class_colours.read_again()
        assert class_colours[2] == "#00ff00"
    finally:
        box.own_colours_button.click()
    assert dict(class_colours) == dict(CLASS_COLOURS)
    assert box.own_colours_button.isHidden()


def test_the_tumour_in_3d_is_shown_without_cells_or_planes_and_they_without_it(encoded, qtbot):
    box, spatial = encoded.viewing.box, encoded.viewing.spatial
    box.three_box.setChecked(True)
    box.surfaces_box.setChecked(True)
    assert spatial.three is None, "the planes would show what the surfaces hide: nothing"
    assert not box.three_box.isChecked()
    box.grid_box.setChecked(True)
    assert spatial.surfaces is None, "each cell would show another surface"
    assert not box.surfaces_box.isChecked()
    assert encoded.viewer.dims.ndisplay == 2
    box.surfaces_box.setChecked(True)
    assert not box.grid_box.isChecked()
    assert not encoded.viewer.canvas.grid.enabled
    box.three_box.setChecked(True)
    assert not box.surfaces_box.isChecked()
    box.three_box.setChecked(False)
    qtbot.wait(50)  # Qt deletes the canvases in its own time


def test_the_experts_mask_lies_on_each_modality_side_by_side(encoded, finish, qtbot):
    box = encoded.viewing.box
    box.grid_box.setChecked(True)
    box.expert_box.click()
    finish(encoded)
    cells = lambda: [one for one in of_role(encoded.viewer, "twin") if "expert" in one.name]  # noqa: E731
    qtbot.waitUntil(lambda: len(cells()) == 3)
    stride = encoded.viewer.canvas.grid.stride
    assert len(encoded.viewer.layers) == 4 * stride, "none has a cell of its own"
    box.grid_box.setChecked(False)
    box.expert_box.click()


def test_the_experts_box_is_true_to_the_list_of_layers(encoded, finish):
    box = encoded.viewing.box.expert_box
    box.click()
    finish(encoded)
    (layer,) = of_role(encoded.viewer, "expert")
    layer.visible = False
    assert not box.isChecked()
    box.click()
    assert layer.visible
    encoded.viewer.layers.remove(layer)
    assert not box.isChecked()
    box.click()
    finish(encoded)
    assert len(of_role(encoded.viewer, "expert")) == 1
