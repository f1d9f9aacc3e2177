"""Scripts below training/: each runs on something tiny and writes what it says."""

import csv
import importlib.util
import json
import shlex
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from napari_rdl.brats import SUBSETS, subset_name
from napari_rdl.cohort.patients import read_split_file
from napari_rdl.models import load_model, save_model
from napari_rdl.training.recipe import load_recipe
from tests.training.conftest import TINY

SCRIPTS = Path(__file__).parents[2] / "training"


NAMES = sorted(path.relative_to(SCRIPTS).with_suffix("").as_posix() for path in SCRIPTS.rglob("*.py"))


def load(name):
    """Return a script as a module."""
    path = SCRIPTS / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"script_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    # A data class looks its module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_every_script_says_what_it_does(name):
    app = typer.Typer()
    app.command()(load(name).main)
    shown = CliRunner().invoke(app, ["--help"])
    assert shown.exit_code == 0
    assert "--help" in shown.output


def test_a_split_is_made_of_lists_or_drawn(patients_folder, tmp_path):
    script = load("make_split")
    names = [f"BraTS2021_9100{number}" for number in range(4)]
    listed = tmp_path / "train.txt"
    listed.write_text(f"HGG/{names[0]}\n{names[2]}_vol.npy\n")
    script.main(patients_folder, tmp_path / "lists" / "split.json", train=listed)
    split = read_split_file(tmp_path / "lists" / "split.json")
    assert [patient.name for patient in split.train] == [names[0], names[2]]
    script.main(patients_folder, tmp_path / "drawn.json", sizes="2,1,1", seed=5)
    drawn = read_split_file(tmp_path / "drawn.json")
    parts = (drawn.train, drawn.validation, drawn.test)
    assert sorted(patient.name for part in parts for patient in part) == names
    assert list(map(len, parts)) == [2, 1, 1]


def test_a_mean_of_checkpoints(tiny_checkpoint, tmp_path):
    script = load("shipped-weights/mean")
    model = load_model(tiny_checkpoint)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.add_(1.0)
    save_model(tmp_path / "other.safetensors", model.network, model.card)
    script.main(tiny_checkpoint, tmp_path / "other.safetensors", tmp_path / "mean.safetensors", 0.25)
    first, mean = (
        load_model(path).network.state_dict() for path in (tiny_checkpoint, tmp_path / "mean.safetensors")
    )
    for name, value in first.items():
        torch.testing.assert_close(mean[name], value + 0.25, rtol=0, atol=1e-5)


def test_the_runs_of_a_table_are_commands_that_train_takes(tmp_path, capsys):
    script = load("run_table")
    script.main(["table6"], "synthetic", None, tmp_path, commands=True)
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert len({line[line.index("--out") + 1] for line in lines}) == len(lines) >= 12
    for line in lines:
        changes = [word for before, word in pairwise(line) if before == "--set"]
        assert load_recipe(line[line.index("--recipe") + 1], changes).seed >= 0


def test_cross_validation_scores_everyone_once(patients_folder, cache_folder, tmp_path, monkeypatch, capsys):
    script = load("cross_validate")
    changes = [*TINY, "optimizer.max_steps=2", "validation.every=100", f"data.cache={str(cache_folder)!r}"]
    options = {"folds": 2, "changes": changes, "device": "cpu"}
    script.main(str(patients_folder), tmp_path, **options, stratify="enhancement", only=[1])
    assert "1 of 2 folds" in capsys.readouterr().out
    monkeypatch.setattr(script, "resume_training", pytest.fail)
    script.main(str(patients_folder), tmp_path, **options, stratify="enhancement")
    with (tmp_path / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    patients = {row["patient"]: row["fold"] for row in rows}
    assert len(patients) == 4
    for patient, fold in patients.items():
        split = json.loads((tmp_path / f"fold_{fold}" / "split.json").read_text())
        assert patient in split["validation"]
        assert patient not in split["train"]
    pooled = json.loads((tmp_path / "cross-validation.json").read_text())["rows"]
    full = [row for row in pooled if row["subset"] == "T1+T1c+T2+FLAIR" and row["region"] == "WT"]
    found = [
        float(row["dice"]) for row in rows if row["subset"] == "T1+T1c+T2+FLAIR" and row["region"] == "WT"
    ]
    assert full[0]["mean"] == pytest.approx(sum(found) / len(found))
    assert "4 patients in 2 of 2 folds" in (tmp_path / "cross-validation.md").read_text()


def test_false_tumour_of_every_subset(patients_folder, tiny_checkpoint, tmp_path, capsys):
    script = load("shipped-weights/false_tumour")
    script.main(data=[str(patients_folder)], model=str(tiny_checkpoint), out=tmp_path / "found", device="cpu")
    record = json.loads((tmp_path / "found.json").read_text())["ml"][patients_folder.name]
    assert sorted(len(head) for head in record.values()) == [7, 15, 15, 15]
    lines = [line for line in (tmp_path / "found.md").read_text().splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0][2:] for line in lines[1:]] == [subset_name(subset) for subset in SUBSETS]
    assert "| below 0.5 ml | below 2 ml |" in lines[0]
    assert next(line for line in lines if line.startswith("| T2 |")).split(" | ")[1] == "3"


def test_healthy_phantoms_are_others_than_those_trained_on(monkeypatch):
    script = load("shipped-weights/false_tumour")
    made = []
    monkeypatch.setattr(script, "make_phantom", lambda seed, **rest: made.append((seed, rest["tumour"])))
    monkeypatch.setattr(script, "case_from_arrays", lambda *args, **rest: None)
    monkeypatch.setattr(script, "make_phantom", _recording(script.make_phantom, made))
    list(script.healthy_heads("phantom:2"))
    assert made == [(20_000_000, "none"), (20_000_001, "none")]


def _recording(make, made):
    class Nothing:
        images, affine, name = None, None, ""

    def record(seed, **rest):
        make(seed, **rest)
        return Nothing

    return record
