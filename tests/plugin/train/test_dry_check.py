"""What a dry run found, in words."""

from __future__ import annotations

from napari_rdl.plugin.train.dry_check import report_in_words


def test_what_a_check_found():
    report = {
        "train": 3,
        "validation": 0,
        "left_out": {"A": "no mask.", "B": "of no list"},
        "refused": {"A": "no mask."},
        "steps": 100,
        "seconds_per_step": 3.0,
        "memory_mb": 512.3,
    }
    note, nobody, refused = report_in_words(report, refuses=True)
    assert note == (
        "note",
        "Found 3 training and 0 validation patients. 100 steps of 3 s take about 5 min beside validation. "
        "Memory: 512 MB.",
    )
    assert "Nobody validates" in nobody[1]
    assert refused[1].startswith("1 cannot be used. A run refuses")
    assert refused[1].endswith("A: no mask.")
    assert "left out" in report_in_words(report, refuses=False)[2][1]
