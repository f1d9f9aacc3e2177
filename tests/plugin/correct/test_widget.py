"""The widget without a patient, and with a corrected layer that others took away or changed."""

from __future__ import annotations

import numpy as np

from napari_rdl.plugin.correct.widget import CorrectWidget

from .hand import paint, same


def test_without_a_patient_it_says_what_to_do(make_napari_viewer, shown):
    viewer = make_napari_viewer()
    widget = shown(CorrectWidget(viewer))
    assert "Open a patient" in widget.patient.said.text()
    assert widget.readers.box.isHidden(), "nobody's labels can be chosen"
    widget.use("grow")
    widget.undo()
    widget.shut_down()


def test_a_layer_taken_out_of_the_list_can_be_brought_back(correct):
    layer = correct.desk.layer
    correct._viewer.layers.remove(layer)
    assert not correct.history_box.back_button.isHidden()
    assert "no longer in the list" in correct.patient.said.text()
    chosen = layer.selected_label
    correct.tools_box.class_chosen.emit(3)
    assert layer.selected_label == chosen
    correct.history_box.back_button.click()
    assert "painting on the layer" in correct.patient.said.text()
    assert layer in correct._viewer.layers
    assert correct.history_box.back_button.isHidden()


def test_a_layer_of_another_shape_is_said_and_undo_brings_it_back(qtbot, correct):
    paint(qtbot, correct, (13, 15, 11), 1)
    correct.desk.layer.data = np.zeros((4, 4, 4), np.uint8)
    correct.desk.recorder.settle()
    assert "another shape" in correct.messages.messages[0][1]
    correct.undo()
    assert same(correct)
