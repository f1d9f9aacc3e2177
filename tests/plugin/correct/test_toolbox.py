"""Tools in a viewer: they act on the class that is chosen, on a click, or lead to a doubt."""

from __future__ import annotations

from .hand import WAIT_MS, same, voxel_of


def test_a_tool_changes_the_class_that_is_selected(correct):
    layer = correct.desk.layer
    layer.selected_label = int(layer.data.max())
    assert correct.tools_box.classes.checkedId() == layer.selected_label
    before = int((layer.data == layer.selected_label).sum())
    correct.use("grow")
    assert int((layer.data == layer.selected_label).sum()) > before
    assert "ml changed" in correct.tools_box.status.text()
    correct.undo()
    assert correct.tools_box.status.text() == "", "it is not changed any more"
    layer.selected_label = 0
    correct.use("shrink")
    assert "Choose NCR" in correct.tools_box.status.text()
    correct.use("predicted")
    assert same(correct)


def test_a_piece_is_dropped_by_a_click(correct):
    layer = correct.desk.layer
    voxel = voxel_of(correct, int(layer.data.max()))
    correct.tools_box.buttons["drop"].click()
    (callback,) = layer.mouse_drag_callbacks[-1:]
    assert layer.mode == "pan_zoom"

    class Click:
        position = layer.data_to_world(voxel)

    callback(layer, Click())
    assert layer.data[voxel] == 0
    assert callback not in layer.mouse_drag_callbacks
    assert not correct.tools_box.buttons["drop"].isChecked()


def test_the_next_doubt_is_gone_to(qtbot, correct):
    correct.use("doubt")
    qtbot.waitUntil(lambda: not correct.toolbox.worker.busy, timeout=WAIT_MS)
    said = correct.tools_box.status.text()
    assert "Doubt 1 of" in said or "sure everywhere" in said
