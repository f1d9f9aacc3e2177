"""The demonstration and the benchmark's viewer."""

from __future__ import annotations

from time import perf_counter

import numpy as np
from qtpy.QtCore import QTimer

from napari_rdl.plugin.segment.demo import open_demo


def test_the_demo_shows_the_patient_its_labels_and_the_widget(
    make_napari_viewer, brats_folder, tiny_checkpoint, finish
):
    viewer = make_napari_viewer()
    widget = open_demo(viewer, brats_folder, model=tiny_checkpoint, device="cpu")
    finish(widget)
    finish(widget)  # opening starts the run
    assert widget.session.representations is not None, widget.messages.messages
    prediction = widget.updater.prediction.layer
    assert prediction in viewer.layers
    assert prediction.visible
    assert prediction.data.any()
    assert np.array_equal(prediction.data, widget.session.representations.labels())
    widget.shut_down()


def test_the_viewer_for_measuring_draws_flips_and_closes(
    monkeypatch, make_napari_viewer, tiny_model, brats_folder
):
    from napari_rdl.bench.viewer import measure_viewer
    from napari_rdl.case import load_case
    from napari_rdl.segment import SegmentSettings, encode

    viewer = make_napari_viewer()
    closed = []
    monkeypatch.setattr("napari.Viewer", lambda **_: viewer)
    monkeypatch.setattr(type(viewer), "close", lambda self: closed.append(self))
    representations = encode(load_case(brats_folder), tiny_model, settings=SegmentSettings(device="cpu"))
    found = measure_viewer(representations, repeats=1)
    assert found.redraw_seconds > 0
    assert found.idle_seconds > 0
    assert closed == [viewer]
    monkeypatch.undo()


def test_a_window_that_is_kept_from_answering_is_noticed(qapp):
    from napari_rdl.plugin.train.responsiveness import turn_gaps

    def keep_busy():
        until = perf_counter() + 0.06
        while perf_counter() < until:
            pass

    QTimer.singleShot(20, keep_busy)
    assert max(turn_gaps(0.1)) >= 0.06


def test_the_answers_beside_a_run_are_summed_up(monkeypatch, make_napari_viewer):
    from napari_rdl.bench.viewer import measure_watch

    monkeypatch.setattr("napari.Viewer", lambda **_: make_napari_viewer())
    gaps = [0.01, 0.02, 0.97, 0.04, 0.06, 0.9, 0.03]
    monkeypatch.setattr("napari_rdl.plugin.train.responsiveness.gaps_beside_a_run", lambda *_: gaps)
    found = measure_watch(2.0)
    assert (found.median_seconds, found.worst_seconds, found.late) == (0.9, 0.97, 3)
