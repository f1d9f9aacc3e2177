"""``napari-rdl bench`` without a window."""

from __future__ import annotations

import json

import pytest


@pytest.mark.usefixtures("small_sample")
def test_bench_without_a_window_reports_ratios(shell):
    code, out, _ = shell("bench", "--size", "brats", "--repeats", "1", "--no-viewer", "--json")
    assert code == 0
    report = json.loads(out)
    assert report["shape"] == [26, 30, 22]
    assert [row["modalities"] for row in report["encode"]] == [1, 2, 3, 4]
    assert report["encode"][-1]["ratio"] == 1
    assert report["all_subsets"]["subsets"] == 15
    assert report["all_subsets"]["ratio"] > 0
    assert 0 < report["study"]["ratio"] == report["study"]["seconds"] / report["encode"][-1]["seconds"]
    assert report["study"]["reference"] == "mask"
    assert report["flip"]["slice_seconds"] < report["flip"]["volume_seconds"] * 10
    assert report["viewer"] is None
