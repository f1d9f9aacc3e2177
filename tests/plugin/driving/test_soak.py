"""A day's work in one window, of as many patients as `NAPARI_RDL_SOAK` says; too long for every run."""

from __future__ import annotations

import os

import pytest

from napari_rdl.plugin.driving.driver import Driver
from napari_rdl.plugin.driving.soak import soak
from napari_rdl.plugin.segment.session import RunChoice
from napari_rdl.plugin.segment.widget import SegmentWidget

PATIENTS = int(os.environ.get("NAPARI_RDL_SOAK", "0"))


@pytest.mark.skipif(PATIENTS == 0, reason="NAPARI_RDL_SOAK names no number of patients")
def test_a_days_work_leaves_nothing_behind(make_napari_viewer, tiny_checkpoint, brats_folder):
    viewer = make_napari_viewer(show=True)
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segment tumour")
    widget.run_box.set_choice(RunChoice(model=tiny_checkpoint, device="cpu", precision="float32"))
    found = soak(
        Driver(viewer, widget),
        brats_folder,
        flips=PATIENTS,
        patients=PATIENTS,
        runs=2 if PATIENTS > 3 else 0,
        warm=max(1, PATIENTS // 4),
    )
    widget.shut_down()
    assert found.layers == 0
    assert found.handles[1] <= found.handles[0]
    assert found.threads[1] <= found.threads[0]
    # The first patients bring libraries with them, and fill the allocator's pools.
    assert found.growth < (0.05 if PATIENTS >= 8 else 0.2), found.megabytes


@pytest.fixture(autouse=True)
def _no_questions(monkeypatch):
    monkeypatch.setattr("napari_rdl.plugin.segment.saving.ask_about_corrections", _nobody)


def _nobody(*arguments):
    raise AssertionError("a question was asked")
