"""Refinement from scribbles in a viewer."""

from __future__ import annotations

import numpy as np

from napari_rdl.correct import Source

from .hand import WAIT_MS, paint, same


def test_a_scribble_refines_around_it_and_is_taken_back_with_its_step(qtbot, correct):
    layer = correct.desk.layer
    before = layer.data.copy()
    correct.refining.box.buttons[4].click()
    scribbles = correct.refining.layer
    assert correct._viewer.layers.selection.active is scribbles
    scribbles.brush_size = 2
    scribbles.paint((13, 15, 11), 4)
    qtbot.waitUntil(lambda: not correct.refining.busy, timeout=WAIT_MS)
    stroke = scribbles.data == 4
    assert (layer.data[stroke] == 3).all()
    assert same(correct)
    changed = layer.data != before
    assert set(np.unique(correct.desk.history.sources[changed])) == {Source.REFINEMENT}
    scribbles.paint((9, 12, 11), 1)
    qtbot.waitUntil(lambda: not correct.refining.busy, timeout=WAIT_MS)
    assert (layer.data[scribbles.data == 1] == 0).all()
    assert (layer.data[stroke] == 3).all()
    while correct.desk.history.can_undo:
        correct.undo()
    np.testing.assert_array_equal(layer.data, before)
    assert not scribbles.data.any()


def test_what_a_human_painted_is_not_refined(qtbot, correct):
    paint(qtbot, correct, (13, 15, 11), 1, size=5)
    human = correct.desk.history.sources == Source.HUMAN
    correct.refining.scribble(4)
    correct.refining.layer.brush_size = 1
    correct.refining.layer.paint((13, 15, 11), 4)
    qtbot.waitUntil(lambda: not correct.refining.busy, timeout=WAIT_MS)
    stroke = correct.refining.layer.data > 0
    assert (correct.desk.layer.data[human & ~stroke] == 1).all()
    assert (correct.desk.layer.data[stroke] == 3).all()
