"""Means over patients, their titles, their files and their charts."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_rdl.brats import MODALITIES, REGIONS, SUBSETS, subset_name
from napari_rdl.cohort.charts import DARK, LIGHT, heat_map, png, worth_bars
from napari_rdl.cohort.rendering import markdown_text
from napari_rdl.cohort.tables import (
    pool,
    safe_cell,
    scores_csv,
    scores_of_mapping,
    scores_of_rows,
    subset_title,
    tables_csv,
)
from napari_rdl.compare import study_subsets


def test_titles_are_the_papers():
    titles = ["Fl", "T2", "T1c", "T1", "T2+Fl", "T1c+Fl", "T1c+T2", "T1+Fl", "T1+T2", "T1+T1c"]
    assert [subset_title(subset) for subset in SUBSETS] == [*titles, "~T1", "~T1c", "~T2", "~Fl", "Full"]
    assert subset_title(("DWI", "ADC"), ("DWI", "ADC", "T1")) == "DWI+ADC"


def test_means_leave_out_what_is_undefined_and_count_it():
    def patient(*values):
        row = {
            region: {"dice": 1.0, "hd95": value}
            for region, value in zip(("WT", "TC", "ET"), values, strict=True)
        }
        return {subset_name(("T1",)): row}

    scores = scores_of_mapping({"a": patient(2.0, 4.0, None), "b": patient(6.0, None, None)})
    table = pool(scores, ("T1",), "hd95")
    assert table.values == {"WT": [4.0, 4.0], "TC": [4.0, 4.0], "ET": [None, None]}
    assert table.counts == {"WT": [2], "TC": [1], "ET": [0]}
    assert table.undefined == 3
    assert table.columns == ("T1", "Avg.")


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_charts_follow_the_colours(study, colours):
    from io import BytesIO

    from matplotlib.colors import to_rgb
    from matplotlib.image import imread

    scores = {
        "x": {
            row.name: {region: {"dice": score.dice} for region, score in row.scores.items()}
            for row in study.rows
        }
    }
    table = pool(scores_of_mapping(scores), MODALITIES, "dice")
    for figure in (
        heat_map(table, "title", colours=colours, dots=SUBSETS, modalities=MODALITIES),
        worth_bars(study.worth(), colours=colours),
    ):
        picture = imread(BytesIO(png(figure, dpi=60)))
        np.testing.assert_allclose(picture[0, 0, :3], to_rgb(colours.background), atol=0.01)
        assert len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) > 10


def test_a_region_without_value_shows_a_dash(representations, case):
    truth = case.truth()
    truth[truth == 3] = 2
    worth = study_subsets(representations, truth).worth()
    figure = worth_bars(worth)
    assert [text.get_text() for text in figure.axes[0].texts] == ["–"] * 4


def test_means_are_numpys_over_the_patients_who_have_the_subset(study):
    scores = scores_of_rows({"a": study.rows, "b": study.rows[:3]})
    for measure in ("dice", "hd95", "volume_ml"):
        table = pool(scores, MODALITIES, measure)
        assert table.counts["WT"] == [2] * 3 + [1] * 12
        rows = [study.rows[0].volumes_ml, study.rows[0].scores]
        values = [rows[0]["WT"] if measure == "volume_ml" else getattr(rows[1]["WT"], measure)] * 2
        assert table.values["WT"][0] == pytest.approx(np.mean(values) * (100 if measure == "dice" else 1))
        assert table.values["WT"][-1] == pytest.approx(np.mean(table.values["WT"][:-1]))


def test_patients_without_reference_are_no_undefined_values(representations):
    bare = scores_of_rows({"a": study_subsets(representations).rows})
    assert pool(bare, MODALITIES, "dice").undefined == 0
    assert pool(bare, MODALITIES, "dice").values["WT"] == [None] * 16
    assert pool(bare, MODALITIES, "volume_ml").counts["WT"] == [1] * 15


def test_one_undefined_value_is_said_as_one():
    row = {region: {"dice": 1.0, "hd95": None if region == "ET" else 1.0} for region in REGIONS}
    table = pool(scores_of_mapping({"a": {"T1": row}}), ("T1",), "hd95")
    assert table.remarks[-1] == "One value is undefined because a mask is empty; it is left out."


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "a=1", 'a, "b"\nc'])
def test_no_name_becomes_a_formula(study, name):
    text = scores_csv(scores_of_rows({name: study.rows[:1]}))
    (first, *_) = list(csv.DictReader(io.StringIO(text)))
    assert first["patient"] in (name, f"'{name}")
    assert first["patient"][0] not in "=+-@\t"
    assert float(first["dice"]) == study.rows[0].scores["WT"].dice


@given(st.text(min_size=1))
def test_a_safe_cell_keeps_its_text_and_begins_no_formula(text):
    assert safe_cell(text).endswith(text)
    assert safe_cell(text)[0] not in "=+-@\t\r"


def test_the_header_of_a_csv_stays_in_its_lines(study):
    table = pool(scores_of_rows({"a": study.rows}), MODALITIES, "dice")
    text = tables_csv([table], {"data": "odd\n=name"})
    head, columns, *rows = text.splitlines()
    assert head == "# data: odd =name"
    assert columns.split(",") == ["measure", "region", *table.columns]
    assert [row.split(",")[1] for row in rows] == list(REGIONS)


def test_names_are_no_markdown():
    assert markdown_text("*a*|<b>\n_c_ [d](e)") == r"\*a\*\|\<b\> \_c\_ \[d\](e)"
