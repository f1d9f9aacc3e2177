"""Tables of trainings: what they run, what they keep, and Dice against time."""

import csv
import json
import shlex
import sys
from itertools import pairwise

import numpy as np
import pytest
import typer

from napari_rdl.brats import SUBSETS, subset_name
from napari_rdl.training.recipe import load_recipe
from tests.training.conftest import TINY
from tests.training.scripts import load


@pytest.mark.parametrize(
    ("table", "benchmark", "rows"),
    [
        ("table6", "synthetic", 12),
        ("methods", "methods", 5),
        ("methods", "methods_time", 5),
        ("shapes", "shapes", 6),
    ],
)
def test_the_runs_of_a_table_are_commands_that_train_takes(table, benchmark, rows, tmp_path, capsys):
    script = load("run_table")
    script.main([table], benchmark, None, tmp_path, commands=True)
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert len({line[line.index("--out") + 1] for line in lines}) == len(lines) >= rows
    for line in lines:
        changes = [word for before, word in pairwise(line) if before == "--set"]
        assert load_recipe(line[line.index("--recipe") + 1], changes).seed >= 0


def write_tiny_table(folder, name, table, data, cache):
    """Write a table and a benchmark of two steps a run."""
    changes = [*TINY, "optimizer.max_steps=2", "validation.every=100", "validation.patients=1"]
    changes += [f"data.cache={str(cache)!r}"]
    (folder / "experiments").mkdir()
    benchmark = f"[tiny]\nrecipe = 'laptop'\ndata = {json.dumps(str(data))}\n"
    (folder / "experiments" / "benchmarks.toml").write_text(benchmark + f"set = {json.dumps(changes)}\n")
    (folder / "experiments" / f"{name}.toml").write_text(f"title = 'T'\nbenchmark = 'tiny'\n{table}")


def test_a_table_keeps_every_patient_of_every_seed(
    patients_folder, cache_folder, tmp_path, monkeypatch, uncharted
):
    script = load("run_table")
    table = """
        columns = 'regions'
        seeds = [0, 1]
        reference = 'one'
        [[rows]]
        name = 'one'
        [[rows]]
        name = 'other'
        set = ['loss.divergence=0']
    """
    write_tiny_table(tmp_path, "table9", table, patients_folder, cache_folder)
    monkeypatch.setattr(script, "HERE", tmp_path)
    # What phantoms are scored by, without the time that making them takes.
    monkeypatch.setattr(script.Run, "evaluated", False)
    script.main(["table9"], None, None, tmp_path / "runs", results=tmp_path / "results")
    with (tmp_path / "results" / "table9-tiny-patients.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 * 2 * 2 * 3
    assert {line["seed"] for line in lines} == {"0", "1"}
    with (tmp_path / "results" / "table9-tiny.csv").open() as file:
        shown = {line["row"]: line for line in csv.DictReader(file)}
    for name in ("one", "other"):
        values = [
            float(line[subset_name(subset)]) for subset in SUBSETS for line in lines if line["row"] == name
        ]
        assert float(shown[name]["Avg."].split()[0]) == pytest.approx(np.mean(values), abs=0.06)
    assert shown["one"]["p"] == ""
    # So few patients that no test of signed ranks tells anything.
    assert float(shown["other"]["p"]) > 0.05
    assert "--data" in (tmp_path / "results" / "table9-tiny.md").read_text()


def test_dice_against_time_is_drawn_and_what_is_done_is_not_repeated(
    patients_folder, brats_folder, cache_folder, tmp_path, monkeypatch, uncharted
):
    script = load("dice_against_time")
    tables = sys.modules["run_table"]
    table = """
        columns = 'missing'
        seeds = [0]
        [[rows]]
        name = 'by number'
        [[rows]]
        name = 'by the clock'
        set = ['optimizer.max_minutes=1e-6']
    """
    write_tiny_table(tmp_path, "kin", table, patients_folder, cache_folder)
    monkeypatch.setattr(tables, "HERE", tmp_path)
    monkeypatch.setattr(script, "sample_patient_folder", lambda: brats_folder)
    figures = []
    monkeypatch.setattr(script, "png", lambda figure: figures.append(figure) or b"a picture")
    monkeypatch.setattr(tables.Run, "evaluated", False)
    monkeypatch.setattr(tables.Run, "_score_phantoms", lambda run: None)
    arguments = ("kin", tmp_path / "runs", str(patients_folder), 1, tmp_path / "results")
    script.main(*arguments)
    with (tmp_path / "results" / "kin-time.csv").open() as file:
        number, clock = list(csv.DictReader(file))
    assert (number["row"], number["steps"]) == ("by number", "2")
    assert (clock["row"], clock["steps"]) == ("by the clock", "1")
    for line in (number, clock):
        regions = [float(line[f"full {region}"]) for region in ("WT", "TC", "ET")]
        assert float(line["full"]) == pytest.approx(np.mean(regions), abs=1e-3)
        assert float(line["seconds"]) > 0
    assert (tmp_path / "results" / "kin-time.png").read_bytes() == b"a picture"
    page = (tmp_path / "results" / "kin-time.md").read_text()
    assert "](kin-time.png)" in page
    steps, seconds, whole = next(
        line.split(" | ")[1:4] for line in page.splitlines() if line.startswith("| by number")
    )
    assert steps == "2"
    # What is rounded twice may differ in the last place.
    assert float(seconds) == pytest.approx(float(number["seconds"]), abs=0.006)
    assert float(whole) == pytest.approx(float(number["full WT"]), abs=0.06)
    points = [[*dots.get_offsets()[0]] for dots in figures[0].axes[0].collections]
    told = [[float(line["seconds"]), float(line["full"])] for line in (number, clock)]
    np.testing.assert_allclose(points, told, atol=1e-3)
    monkeypatch.setattr(tables.Run, "train", lambda run: pytest.fail("trained again"))
    script.main(*arguments)
    assert "Not trained" not in page
    _, clock_run = tables.plan(tables.load_experiment("kin"), "tiny", [], tmp_path / "runs")
    (clock_run.folder / "last.safetensors").unlink()
    script.main(*arguments, collect=True)
    assert "Not trained: by the clock." in (tmp_path / "results" / "kin-time.md").read_text()
    with pytest.raises(typer.BadParameter, match="is trained"):
        script.main("kin", tmp_path / "none", *arguments[2:], collect=True)
