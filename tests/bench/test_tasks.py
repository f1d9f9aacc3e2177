"""Ten tasks: what is counted, and that the desk's tools do them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_rdl.bench.tasks import Effort, least_painting, measure_tasks


def test_the_least_painting_is_counted_slice_by_slice():
    before = np.zeros((40, 40, 5), np.uint8)
    after = before.copy()
    after[5:7, 5:7, 1], after[5:7, 10, 1], after[30:32, 30:32, 1] = 2, 2, 2
    after[5, 5, 3] = 3
    effort = least_painting(before, after, (1.0, 1.0, 1.0))
    # What is within 6 mm is one stroke.
    assert (effort.strokes, effort.clicks, effort.keys) == (3, 2, 2)
    dot = least_painting(before, np.where(after == 3, 3, 0).astype(np.uint8), (1.0, 1.0, 1.0))
    assert dot.drawn_mm == pytest.approx(29 / 6)  # 29 pixels lie within 3 of one
    assert least_painting(before, before, (1.0, 1.0, 1.0)) == Effort()


def test_the_hand_takes_what_the_model_says():
    assert Effort(clicks=2, keys=1).seconds == pytest.approx(2 * 1.3 + 0.28)
    assert Effort(strokes=1, drawn_mm=10).seconds == pytest.approx(1.3 + 0.9 + 0.16 * 3)


def test_ten_tasks_are_done():
    axes = np.indices((44, 44, 44))
    away = np.sqrt(sum((axis - 16) ** 2 for axis in axes))
    truth = np.select([away < 3, away < 6, away < 10], [1, 3, 2], 0).astype(np.uint8)
    rows = measure_tasks(truth, (1.0, 1.0, 1.0))
    assert len(rows) == 10
    for row in rows:
        assert row.bare_clicks + row.bare_strokes > 0, row.task
        assert row.strokes + row.clicks > 0
    assert sum(row.bare_strokes for row in rows) > 10 * sum(row.strokes for row in rows)
