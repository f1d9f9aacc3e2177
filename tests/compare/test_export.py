"""Rows as CSV, Markdown and JSON; pooled tables; charts."""

import csv
import io

import numpy as np
import pytest

from napari_rdl.brats import MODALITIES, SUBSETS, subset_name
from napari_rdl.cohort.charts import DARK, LIGHT, heat_map, png, worth_bars
from napari_rdl.cohort.pooled import pool, subset_title
from napari_rdl.compare import (
    MEASURES,
    measures_of,
    rows_to_csv,
    rows_to_markdown,
    study_subsets,
)


@pytest.fixture
def study(representations):
    study = study_subsets(representations, "truth")
    list(study.measure_distances())
    return study


def test_csv_has_all_digits(study):
    text = rows_to_csv(study.rows, ["Dice is 1\nwhere"])
    assert text.startswith("# Dice is 1 where\n")
    lines = list(csv.DictReader(io.StringIO(text.split("\n", 1)[1])))
    assert len(lines) == 45
    for line, row in zip(lines[::3], study.rows, strict=True):
        assert line["subset"] == row.name
        for measure in MEASURES:
            value = measure.of(row, "WT")
            assert line[measure.name] == ("" if value is None else str(value))


def test_markdown_has_dots_and_dashes(study):
    text = rows_to_markdown(study.rows, ["A note."])
    lines = text.splitlines()
    assert lines[0].startswith("| T1 | T1c | T2 | FLAIR | Dice WT (%) |")
    assert "HD95 ET (mm)" in lines[0]
    assert lines[2].startswith("| ○ | ○ | ○ | ● |")
    assert len({line.count("|") for line in lines[:17]}) == 1
    assert text.endswith("\n\nA note.\n")
    assert MEASURES[1].text(None) == "–"


def test_what_is_not_there_is_not_exported(representations, study):
    bare = study_subsets(representations)
    assert [measure.name for measure in measures_of(bare.rows)] == ["volume_ml"]
    assert "Volume WT (ml)" in rows_to_markdown(bare.rows)
    assert "dice" not in rows_to_csv(bare.rows)
    unmeasured = study_subsets(representations, "truth")
    assert "hd95" not in [measure.name for measure in measures_of(unmeasured.rows)]
    assert measures_of(study.rows) == MEASURES


def test_titles_are_the_papers():
    titles = ["Fl", "T2", "T1c", "T1", "T2+Fl", "T1c+Fl", "T1c+T2", "T1+Fl", "T1+T2", "T1+T1c"]
    assert [subset_title(subset) for subset in SUBSETS] == [*titles, "~T1", "~T1c", "~T2", "~Fl", "Full"]
    assert subset_title(("DWI", "ADC"), ("DWI", "ADC", "T1")) == "DWI+ADC"


def test_means_leave_out_what_is_undefined_and_count_it():
    def patient(*values):
        row = {region: {"hd95": value} for region, value in zip(("WT", "TC", "ET"), values, strict=True)}
        return {subset_name(("T1",)): row}

    table = pool({"a": patient(2.0, 4.0, None), "b": patient(6.0, None, None)}, ("T1",), "hd95")
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
    table = pool(scores, MODALITIES, "dice")
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


def test_a_dice_that_is_only_the_rules_is_marked(representations, case):
    truth = case.truth()
    truth[truth == 3] = 2
    study = study_subsets(representations, truth)
    text = rows_to_markdown(study.rows)
    assert "† Empty in the reference: Dice is 1 where the labels are empty too, else 0." in text
    assert text.splitlines()[2].count("†") == 1
    assert MEASURES[0].cell(study.rows[0], "ET").endswith("†")
    assert "†" not in MEASURES[0].cell(study.rows[0], "WT")
