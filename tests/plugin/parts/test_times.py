"""Spans of time in words."""

from __future__ import annotations

import pytest

from napari_rdl.plugin.parts.times import duration


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "5 s"), (600, "10 min"), (7200, "2.0 h"), (200_000, "2.3 days")]
)
def test_spans_of_time(seconds, words):
    assert duration(seconds) == words
