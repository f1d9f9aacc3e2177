"""Keys of the desk: none against napari's, each to be changed, remembered."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtGui import QKeySequence

from napari_rdl.correct import Source
from napari_rdl.plugin.correct.keys import ACTIONS, DeskKeyEditor, all_keys
from napari_rdl.plugin.segment.key_bindings import DEFAULT_KEYS, why_not


def test_no_key_is_one_of_naparis_or_stands_twice(make_napari_viewer):
    make_napari_viewer()
    keys = [QKeySequence(key).toString() for _, key in ACTIONS.values() if key]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & set(DEFAULT_KEYS.values())
    assert {key: why_not(key, "", {}) for key in keys if why_not(key, "", {})} == {}


@pytest.fixture
def editor(qtbot):
    editor = DeskKeyEditor(all_keys({}))
    editor.taken = DEFAULT_KEYS
    qtbot.addWidget(editor)
    return editor


def test_a_key_that_is_taken_is_refused_in_a_sentence(editor, qtbot):
    changed = []
    editor.keys_changed.connect(changed.append)
    for key, says in (("Alt+K", "'Shrink' already"), ("F1", "flips T1"), ("Ctrl+Z", "napari")):
        assert not editor.set_key("grow", key)
        assert says in editor.message.messages[0][1]
        assert editor.edits["grow"].keySequence() == QKeySequence("Alt+G")
    assert not changed
    assert editor.set_key("grow", "Alt+Q")
    assert editor.set_key("fill", "")
    assert changed[-1]["grow"] == "Alt+Q"
    assert changed[-1]["fill"] == ""
    editor._reset()
    assert changed[-1] == all_keys({})


class Event:
    """What napari tells of the mouse."""

    def __init__(self, position):
        self.position, self.type = position, "mouse_press"


def test_keys_work_the_desk_and_a_box_takes_the_prediction_over(correct):
    viewer, layer = correct._viewer, correct.desk.layer
    assert correct.keys.editor.set_key("grow", "Alt+Q")
    bound = {str(key): function for key, function in viewer.keymap.items()}
    assert "Alt+Q" in bound
    assert "Alt+G" not in bound
    assert "(Alt+Q)" in correct.tools_box.buttons["grow"].toolTip()
    assert correct.keys.memory.choices.keys == {"grow": "Alt+Q"}
    bound["Alt+3"](viewer)
    assert layer.selected_label == 3

    predicted = correct.desk.segment.updater.segmentation.labels
    layer.data[:] = np.where(predicted == 3, 0, 3)
    correct.desk.recorder.settle()
    bound["Alt+B"](viewer)
    assert correct.tools_box.buttons["box"].isChecked()
    drag = layer.mouse_drag_callbacks[-1]
    at = np.round(layer.world_to_data(viewer.dims.point)).astype(int)
    axis = viewer.dims.not_displayed[0]
    low, high = np.full(3, 8), np.full(3, 14)
    low[axis] = high[axis] = at[axis]
    event = Event(layer.data_to_world(low))
    steps = drag(layer, event)
    next(steps)
    event.type, event.position = "mouse_move", layer.data_to_world(high)
    next(steps)
    assert any(other.name == "box" for other in viewer.layers)
    event.type = "mouse_release"
    assert list(steps) == []
    assert not any(other.name == "box" for other in viewer.layers)
    reach = round(correct.tools_box.size.value())
    low[axis], high[axis] = at[axis] - reach, at[axis] + reach
    inside = np.zeros(predicted.shape, bool)
    inside[tuple(slice(one, other + 1) for one, other in zip(low, high, strict=True))] = True
    np.testing.assert_array_equal(layer.data[inside], predicted[inside])
    assert (layer.data[~inside] == np.where(predicted == 3, 0, 3)[~inside]).all()
    assert (correct.desk.history.sources[inside] == Source.MODEL).all()
    assert drag not in layer.mouse_drag_callbacks
