"""What a study writes to be read: report, tables, figures and the page."""

import csv
import re

from napari_rdl.brats import SUBSETS
from tests.cohort.conftest import named


def test_the_report_is_all_there(finished):
    out = finished.folder
    text = (out / "report.md").read_text()
    for words in (
        "| | Fl | T2 | T1c | T1 | T2+Fl | T1c+Fl |",
        "Empty masks: Dice is 1 where both",
        "Means are over 1 to 2 patients",
        "Empty in the reference: ET in 1 of 2 patients. Dice is 1 there where the labels are empty too",
        "What a modality is worth (Shapley, Dice points)",
        "BraTS2021_C: no reference",
    ):
        assert words in text
    rows = list(csv.DictReader((out / "patients.csv").open()))
    assert len(rows) == 3 * (15 + 7 + 1)
    first = next(
        row for row in rows if (row["patient"], row["subset"], row["region"]) == ("BraTS2021_A", "T1", "WT")
    )
    assert float(first["dice"]) == named(finished, "A").rows[SUBSETS.index(("T1",))].scores["WT"].dice
    table = list(csv.reader(line for line in (out / "table.csv").open() if not line.startswith("#")))
    assert table[0][:4] == ["measure", "region", "Fl", "T2"]
    for name in ("heatmap_dice", "heatmap_hd95", "heatmap_volume_ml", "boxes_dice", "worth_dice"):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_needs_nothing_but_itself(finished):
    page = (finished.folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") >= 2 * 5 + 3
    assert not re.findall(r'(?:src|srcset|href)="(?!data:image/png;base64,)', page)
    assert "<script" not in page
    assert "url(" not in page
    assert "@import" not in page
    assert "prefers-color-scheme: dark" in page
    from html.parser import HTMLParser

    class Balanced(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, attributes):
            if tag not in ("meta", "img", "source"):
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    parser = Balanced()
    parser.feed(page)
    assert parser.open == []


def test_names_are_escaped(finished):
    from dataclasses import replace

    from napari_rdl.cohort.page import html_page

    odd = named(finished, "C").model_copy(update={"name": "<b>x</b>"})
    page = html_page(replace(finished, patients=(odd,), failed={"<i>": "<u>"}), [], {}, {})
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "<i>" not in page
