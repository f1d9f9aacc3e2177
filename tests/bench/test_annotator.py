"""The simulated annotator: where strokes go, what the tools make of them, and the report."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rdl.bench import AnnotatorReport, AnnotatorRow, measure_annotator
from napari_rdl.bench.annotator import STROKES, Brush, Refining, Walker, correct
from napari_rdl.bench.strokes import LENGTH_MM, Stroke, next_stroke
from napari_rdl.cohort.patients import Patient
from napari_rdl.correct.refine import Refiner
from napari_rdl.metrics import dice
from napari_rdl.segment import SegmentSettings

from ..correct.said import said, truth

SPACING = (2.0, 2.0, 2.0)


def test_a_stroke_lies_in_the_largest_error_through_its_middle():
    right = np.zeros((30, 30, 12), np.uint8)
    right[2:6, 2:6, 2:6] = 1
    right[10:27, 12:17, 4:9] = 2
    stroke = next_stroke(np.zeros_like(right), right, (1.0, 1.0, 1.0))
    assert stroke is not None
    assert stroke.class_index == 2
    assert (right[tuple(stroke.voxels.T)] == 2).all()
    assert np.unique(stroke.voxels[:, 2]).tolist() == [6]
    assert (stroke.voxels[:, 1] == 14).sum() >= len(stroke.voxels) - 4
    assert 8 < len(stroke.voxels) <= LENGTH_MM + 1


def test_false_tumour_is_an_error_of_the_background():
    labels = np.zeros((20, 20, 8), np.uint8)
    labels[5:12, 5:12, 2:6] = 3
    stroke = next_stroke(labels, np.zeros_like(labels), (1.0, 1.0, 1.0))
    assert stroke is not None
    assert stroke.class_index == 0
    assert (labels[tuple(stroke.voxels.T)] == 3).all()


def test_where_nothing_is_wrong_there_is_no_stroke():
    assert next_stroke(truth(), truth(), SPACING) is None
    counted = list(correct(Brush(SPACING), truth(), truth(), SPACING, 2))
    assert [count for count, _, _ in counted] == [0, 1, 2]
    assert all(np.array_equal(labels, truth()) for _, labels, _ in counted)


def test_a_brush_paints_a_ball():
    painted = Brush((1.0, 1.0, 3.0))(np.zeros((9, 9, 9), np.uint8), [Stroke(np.array([[4, 4, 4]]), 2)])
    at = np.argwhere(painted == 2)
    away = np.sqrt(np.square((at - 4) * (1, 1, 3)).sum(1))
    assert away.max() == 3
    # 29 pixels lie within 3 of a pixel; one slice of 3 mm above and one below touch the ball.
    assert len(at) == 29 + 2


@pytest.mark.parametrize("name", ["walker", "refinement"])
def test_tools_lessen_the_error_of_a_missed_tumour(name):
    right = truth()
    start = np.zeros_like(right)
    representations = said(start, certainty=0.7)
    if name == "walker":
        tool = Walker(representations.case, ("FLAIR",))
    else:
        tool = Refining(Refiner(representations), start)
    scores = [dice(labels > 0, right > 0) for _, labels, _ in correct(tool, start, right, SPACING, 5)]
    assert scores[0] == 0
    assert scores[5] > 0.5
    if name == "refinement":
        assert len(tool.slice_seconds) == 5


def test_the_report_has_every_tool_after_every_number_of_strokes(brats_folder, tiny_model):
    seen = []
    report = measure_annotator(
        [Patient("one", folder=brats_folder)],
        tiny_model,
        ("T1",),
        SegmentSettings(device="cpu"),
        strokes=(0, 2),
        progress=lambda done, total, message: seen.append((done, total)),
    )
    assert report.subset == "T1"
    assert [(row.tool, row.strokes) for row in report.rows] == [
        (tool, count) for tool in ("painting", "random walker", "refinement") for count in (0, 2)
    ]
    starts = [row for row in report.rows if row.strokes == 0]
    assert len({(row.wt, row.tc, row.et) for row in starts}) == 1
    assert all(row.seconds is None for row in starts)
    assert [row.tool for row in report.rows if row.slice_seconds is not None] == ["refinement"]
    assert seen[-1] == (1, 1)
    assert STROKES == (0, 1, 3, 5, 10)


def test_means_are_over_patients_and_the_csv_has_each_of_them():
    def row(patient, wt, seconds):
        return AnnotatorRow(patient=patient, tool="painting", strokes=1, wt=wt, tc=0, et=1, seconds=seconds)

    report = AnnotatorReport(model="m", subset="T1", rows=(row("a", 0.5, 1.0), row("b", 0.7, 3.0)))
    (mean,) = report.means()
    assert mean.wt == pytest.approx(0.6)
    assert mean.seconds == 2
    assert mean.slice_seconds is None
    assert report.as_csv().splitlines() == [
        "patient,tool,strokes,wt,tc,et,seconds,slice_seconds",
        "a,painting,1,0.5,0.0,1.0,1.0,",
        "b,painting,1,0.7,0.0,1.0,3.0,",
    ]
