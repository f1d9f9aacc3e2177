"""Painting in a viewer: strokes are steps, also those of others, and are taken back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from napari.layers.labels._labels_key_bindings import undo as napari_undo

from napari_rdl.correct import Source
from napari_rdl.plugin.correct.strokes import painted_box

from .hand import journalled, paint, same, voxel_of


def test_a_stroke_is_a_step_that_can_be_taken_back(qtbot, correct):
    before = correct.desk.layer.data.copy()
    paint(qtbot, correct, (13, 15, 11), 1)
    painted = correct.desk.layer.data.copy()
    assert (painted != before).any()
    assert correct.desk.history.position == 1
    assert same(correct)
    assert set(np.unique(correct.desk.history.sources[painted != before])) == {Source.HUMAN}
    correct.undo()
    np.testing.assert_array_equal(correct.desk.layer.data, before)
    correct.redo()
    np.testing.assert_array_equal(correct.desk.layer.data, painted)
    np.testing.assert_array_equal(journalled(correct).history.labels, painted)


def test_ours_rules_the_keys_of_undo(qtbot, correct):
    layer = correct.desk.layer
    before = layer.data.copy()
    paint(qtbot, correct, (13, 15, 11), 1)
    paint(qtbot, correct, (13, 15, 11), 3, size=1)
    bound = {str(key): function for key, function in layer.keymap.items()}
    assert len(bound) == 2
    for _ in range(2):
        next(function for key, function in bound.items() if "Shift" not in key)(layer)
    np.testing.assert_array_equal(layer.data, before)
    assert correct.desk.history.can_redo


def test_what_paints_without_telling_becomes_a_step_too(qtbot, correct):
    layer = correct.desk.layer
    paint(qtbot, correct, (13, 15, 11), 1)
    napari_undo(layer)
    layer.data[0, 0, 0] = 3
    correct.desk.recorder.settle()
    assert same(correct)
    correct.undo()
    assert layer.data[0, 0, 0] == 0
    assert same(correct)


def test_an_event_of_another_napari_is_not_believed():
    assert painted_box([object()], (5, 5, 5)) is None
    assert painted_box(None, (5, 5, 5)) is None
    assert painted_box([([1, 2], [1, 1], [0, 3], 5)], (5, 5, 5)) is None
    indices = (np.array([1, 3]), np.array([2, 2]), np.array([0, 4]))
    assert painted_box([(indices, None, 1)], (5, 5, 5)) == (slice(1, 4), slice(2, 3), slice(0, 5))


def test_protected_labels_stay_under_the_brush(qtbot, correct):
    layer = correct.desk.layer
    value = int(layer.data.max())
    before = layer.data.copy()
    correct.protect_box.keep[value].setChecked(True)
    other = 1 if value != 1 else 2
    paint(qtbot, correct, voxel_of(correct, value), other, size=7)
    np.testing.assert_array_equal(layer.data == value, (before == value))
    assert same(correct)


def test_who_changed_what_is_a_layer(qtbot, correct):
    correct.history_box.sources_box.setChecked(True)
    paint(qtbot, correct, (13, 15, 11), 1)
    (layer,) = [layer for layer in correct._viewer.layers if "who changed" in layer.name]
    assert layer.data[13, 15, 11] == Source.HUMAN
    correct.history_box.sources_box.setChecked(False)
    assert layer not in correct._viewer.layers


def test_odd_values_and_another_name_cost_nothing(qtbot, correct):
    layer, box = correct.desk.layer, correct.tools_box
    before = layer.data.copy()
    layer.name = "renamed"
    paint(qtbot, correct, (13, 15, 11), 7)
    odd = layer.data == 7
    assert odd.any()
    correct._show_summary()
    assert f"7 ({odd.sum()} voxels)" in box.odd_label.text()
    assert not correct.desk.segment.saving.save_corrected(Path("nowhere_seg.nii.gz"))
    assert not Path("nowhere_seg.nii.gz").exists()
    box.odd_class.setCurrentIndex(box.odd_class.findData(2))
    box.map_button.click()
    assert (layer.data[odd] == 2).all()
    assert same(correct)
    # Another plugin gives numbers of another kind.
    wide = layer.data.astype(np.int64)
    wide[0, 0, 0], wide[1, 1, 1] = 300, 3
    layer.data = wide
    correct.desk.recorder.settle()
    assert "no labels (300)" in correct.messages.messages[0][1]
    assert same(correct)
    assert correct.desk.history.labels[1, 1, 1] == 3
    assert correct.desk.history.labels[0, 0, 0] == 0
    while correct.desk.history.can_undo:
        correct.undo()
    np.testing.assert_array_equal(layer.data, before)
