"""Rows as CSV, Markdown and JSON; pooled tables; charts."""

import csv
import io

from napari_rdl.compare import (
    MEASURES,
    measures_of,
    rows_to_csv,
    rows_to_markdown,
    study_subsets,
)


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


def test_a_dice_that_is_only_the_rules_is_marked(representations, case):
    truth = case.truth()
    truth[truth == 3] = 2
    study = study_subsets(representations, truth)
    text = rows_to_markdown(study.rows)
    assert "† Empty in the reference: Dice is 1 where the labels are empty too, else 0." in text
    assert text.splitlines()[2].count("†") == 1
    assert MEASURES[0].cell(study.rows[0], "ET").endswith("†")
    assert "†" not in MEASURES[0].cell(study.rows[0], "WT")
