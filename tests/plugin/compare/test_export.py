"""The study as CSV, picture and Markdown."""

from __future__ import annotations

import csv
import json
import threading
from pathlib import Path

import pytest
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_rdl.brats import REGIONS, SUBSETS
from tests.plugin.conftest import WAIT_MS


def test_exports(compare, studied, tmp_path, monkeypatch):
    table = tmp_path / "table.csv"
    compare.export.save(table)
    lines = [line for line in table.read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    assert len(rows) == len(SUBSETS) * len(REGIONS)
    assert float(rows[0]["dice"]) == studied.study.rows[0].scores["WT"].dice
    assert f"Saved table.csv in {tmp_path}" in compare.matrix_box.status.text()
    record = json.loads(table.with_suffix(".json").read_text())
    assert (record["kind"], record["output"], record["reference"]) == (
        "comparison",
        "table.csv",
        "expert mask",
    )
    picture = tmp_path / "table.png"
    compare.export.save(picture)
    image = QImage(str(picture))
    assert image.width() > 1000
    assert image.pixelColor(0, 0).name() == "#ffffff", "pictures for papers are on white"
    compare.export.save(tmp_path / "table.svg")
    drawn = (tmp_path / "table.svg").read_text()
    assert studied.case.name in drawn
    assert "FLAIR" in drawn
    compare.export.copy_markdown()
    text = QApplication.clipboard().text()
    assert text.count("●") == 32
    assert "Dice WT (%)" in text
    problems = []
    compare.problem.connect(problems.append)
    compare.export.save(tmp_path / "nowhere" / "deep.csv" / "x.csv")
    compare.export.save(table / "below-a-file.csv")
    assert problems
    assert compare.matrix_box.status.text() == "", "what was saved before is not what was asked for"
    compare.export.save(table)
    assert not compare.messages.messages, "what went well is not said to have gone wrong"


def test_table_and_picture_are_suggested_names_that_share_no_record(compare, studied, monkeypatch):
    suggested = []

    def ask(parent, title, start, *_):
        suggested.append(Path(start).stem)
        return "", ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    compare.export.bar.csv_button.click()
    compare.export.bar.picture_button.click()
    assert len(set(suggested)) == 2


@pytest.fixture
def measure_now(monkeypatch):
    """Lets HD95 be measured; until then it waits."""
    from napari_rdl.compare import Reference

    now, measure = threading.Event(), Reference.with_distances

    def wait(reference, *arguments):
        now.wait(60)
        return measure(reference, *arguments)

    monkeypatch.setattr(Reference, "with_distances", wait)
    yield now
    now.set()


def test_a_csv_waits_until_hd95_is_measured(measure_now, encoded, compare_beside, qtbot, tmp_path):
    compare, table = compare_beside(encoded), tmp_path / "table.csv"
    qtbot.waitUntil(lambda: compare.comparison.runner.measuring, timeout=WAIT_MS)
    compare.export.save(table)
    assert not table.exists()
    assert "as soon as HD95 has been measured" in compare.messages.messages[0][1]
    measure_now.set()
    qtbot.waitUntil(table.exists, timeout=WAIT_MS)
    lines = [line for line in table.read_text().splitlines() if not line.startswith("#")]
    scores = compare.comparison.studied.study.rows[0].scores
    assert float(next(csv.DictReader(lines))["hd95"]) == scores["WT"].hd95
    assert compare.messages.messages == ()


def test_a_csv_that_waits_for_a_comparison_that_goes_is_said_to_be_missing(
    measure_now, encoded, compare_beside, qtbot, tmp_path
):
    compare = compare_beside(encoded)
    qtbot.waitUntil(lambda: compare.comparison.runner.measuring, timeout=WAIT_MS)
    compare.export.save(tmp_path / "table.csv")
    problems = []
    compare.problem.connect(problems.append)
    encoded.session.set_case(encoded.session.case)
    assert "table.csv was not written" in problems[0]
    measure_now.set()
