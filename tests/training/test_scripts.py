"""Scripts below training/: each runs on something tiny and writes what it says."""

import csv
import importlib.util
import json
from pathlib import Path

import pytest

from tests.training.conftest import TINY

SCRIPTS = Path(__file__).parents[2] / "training"


def load(name):
    """Return a script as a module."""
    path = SCRIPTS / f"{name}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    assert len(lines) == 1 + 15
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
