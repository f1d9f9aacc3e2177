"""The study as CSV, picture and Markdown."""

from __future__ import annotations

import csv

from qtpy.QtGui import QImage
from qtpy.QtWidgets import QApplication

from napari_rdl.brats import REGIONS, SUBSETS


def test_exports(compare, studied, tmp_path, monkeypatch):
    table = tmp_path / "table.csv"
    compare.export.save(table)
    lines = [line for line in table.read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    assert len(rows) == len(SUBSETS) * len(REGIONS)
    assert float(rows[0]["dice"]) == studied.study.rows[0].scores["WT"].dice
    assert f"Saved table.csv in {tmp_path}" in compare.matrix_box.status.text()
    picture = tmp_path / "table.png"
    compare.export.save(picture)
    image = QImage(str(picture))
    assert image.width() > 300
    colours = {image.pixel(x, y) for x in range(0, image.width(), 7) for y in range(0, image.height(), 7)}
    assert len(colours) > 10
    compare.export.copy_markdown()
    text = QApplication.clipboard().text()
    assert text.count("●") == 32
    assert "Dice WT (%)" in text
    problems = []
    compare.problem.connect(problems.append)
    compare.export.save(tmp_path / "nowhere" / "deep.csv" / "x.csv")
    compare.export.save(table / "below-a-file.csv")
    assert problems
