"""``napari-rdl demo``, with a display and without."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import NAME


@pytest.mark.usefixtures("small_sample")
def test_the_demo_without_a_display_writes_labels_volumes_and_a_picture(shell, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.chdir(tmp_path)
    code, out, err = shell("demo")
    assert code == 0
    assert "DISPLAY" in err
    assert "napari-rdl-demo" in err
    written = [Path(line) for line in out.splitlines()]
    assert all(path.exists() for path in written)
    assert len([path for path in written if path.name.endswith(".nii.gz")]) == 5
    (picture,) = [path for path in written if path.suffix == ".png"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    (volumes,) = [path for path in written if path.suffix == ".json"]
    records = json.loads(volumes.read_text())["segmentations"]
    assert [len(record["modalities"]) for record in records] == [4, 3, 3, 3, 3]
    assert all(set(record["volumes_ml"]) == {"WT", "TC", "ET"} for record in records)


@pytest.mark.usefixtures("small_sample")
def test_the_demo_goes_where_it_is_told(shell, tmp_path):
    code, _, err = shell("demo", "--headless", "--out", tmp_path / "there")
    assert code == 0
    assert "--headless" in err
    assert (tmp_path / "there" / f"{NAME}_seg.nii.gz").exists()


def test_a_display_that_cannot_be_reached_is_said_and_not_waited_for(monkeypatch):
    from napari_rdl.cli.display import reason_for_no_window

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.setenv("DISPLAY", ":98765")
    reason = reason_for_no_window()
    assert reason is not None
    assert ":98765" in reason
