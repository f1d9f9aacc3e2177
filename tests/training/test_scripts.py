"""Scripts below training/: each runs on something tiny and writes what it says."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from napari_rdl.brats import SUBSETS, subset_name
from napari_rdl.cohort.evaluate import EvaluationSettings, evaluate
from napari_rdl.cohort.patients import patients_of, read_split_file
from napari_rdl.errors import CheckpointError, ConfigError
from napari_rdl.models import FalseTumour, build_network, load_model, save_model
from napari_rdl.segment import SegmentSettings
from tests.training.conftest import TINY
from tests.training.scripts import SCRIPTS, load

NAMES = sorted(
    path.relative_to(SCRIPTS).with_suffix("").as_posix()
    for path in SCRIPTS.rglob("*.py")
    if "__main__" in path.read_text()
)


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


def test_a_split_that_does_not_fit_its_folder_leaves_no_file(patients_folder, tmp_path):
    script = load("make_split")
    listed, out = tmp_path / "train.txt", tmp_path / "split.json"
    listed.write_text("Nobody\n")
    with pytest.raises(ConfigError, match="names 'Nobody'"):
        script.main(patients_folder, out, train=listed)
    assert not out.exists()
    script.main(patients_folder, out, sizes="2,1,1")
    before = out.read_bytes()
    with pytest.raises(ConfigError, match="names 'Nobody'"):
        script.main(patients_folder, out, train=listed)
    assert out.read_bytes() == before
    with pytest.raises(ConfigError, match="cannot be read"):
        script.main(patients_folder, out, train=tmp_path / "nothere.txt")
    for sizes in ("2,x,1", "2,-1,1", "9,9,9"):
        with pytest.raises(typer.BadParameter, match="does not fit"):
            script.main(patients_folder, out, sizes=sizes)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("make_split", "--root", "nothere", "--out", "split.json"), "There is no folder"),
        (("run_table", "nope"), "There is no table 'nope'"),
        (("run_table", "table6", "--benchmark", "nope"), "There is no benchmark 'nope'"),
    ],
)
def test_a_script_refuses_in_one_sentence_as_the_program_does(words, said, tmp_path):
    name, *options = words
    command = [sys.executable, str(SCRIPTS / f"{name}.py"), *options]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


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


def test_the_mean_of_a_gated_checkpoint_and_one_with_a_readout(tiny_checkpoint, tmp_path):
    script = load("shipped-weights/mean")
    card, networks = load_model(tiny_checkpoint).card, {}
    for fusion in ("gated", "deep_sets"):
        config = card.network.model_copy(update={"fusion": fusion, "embedding": 3})
        networks[fusion] = build_network(config)
        for parameter in networks[fusion].parameters():
            torch.nn.init.normal_(parameter)
        save_model(tmp_path / fusion, networks[fusion], card.model_copy(update={"network": config}))
    script.main(tmp_path / "gated", tmp_path / "deep_sets", tmp_path / "mean", 0.25)
    gated, sets = (networks[fusion].state_dict() for fusion in ("gated", "deep_sets"))
    mean = load_model(tmp_path / "mean").network.state_dict()
    for name, value in gated.items():
        torch.testing.assert_close(mean[name], torch.lerp(value, sets[name], 0.25))
    for name in sets.keys() - gated.keys():
        share = 0.25 if name.startswith("deep_sets.last") else 1
        torch.testing.assert_close(mean[name], share * sets[name])
    with pytest.raises(CheckpointError, match="no common architecture"):
        script.main(tmp_path / "deep_sets", tmp_path / "gated", tmp_path / "no")
    assert not (tmp_path / "no").exists()


def test_cross_validation_scores_everyone_once(
    patients_folder, cache_folder, tmp_path, monkeypatch, capsys, uncharted
):
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
    script.main(data=[str(patients_folder)], model=str(tiny_checkpoint), out=tmp_path / "v0.5", device="cpu")
    record = json.loads((tmp_path / "v0.5.json").read_text())["ml"][patients_folder.name]
    assert sorted(len(head) for head in record.values()) == [7, 15, 15, 15]
    lines = [line for line in (tmp_path / "v0.5.md").read_text().splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0][2:] for line in lines[1:]] == [subset_name(subset) for subset in SUBSETS]
    assert "| below 0.5 ml | below 2 ml |" in lines[0]
    assert next(line for line in lines if line.startswith("| T2 |")).split(" | ")[1] == "3"


def test_the_worst_failures_are_drawn_and_of_no_real_patient(
    patients_folder, tiny_checkpoint, tmp_path, monkeypatch, capsys
):
    script = load("shipped-weights/worst_failures")
    with pytest.raises(typer.BadParameter, match="not shown"):
        script.main(str(tmp_path), tmp_path)
    drawn = []
    monkeypatch.setattr(
        script, "draw_patient", lambda case, study: drawn.append(case.name) or case.name.encode()
    )
    # Small patients in the place of synthetic ones, which take ten seconds to make.
    found = patients_of(str(patients_folder))
    monkeypatch.setattr(script, "patients_of", lambda *_: found)
    script.main("phantom:4", tmp_path, count=1, model=str(tiny_checkpoint), device="cpu")
    said = capsys.readouterr()
    dice = {line.split(":")[0]: float(line.split(":")[1]) for line in said.err.splitlines()}
    assert sorted(dice) == sorted(drawn)
    assert (tmp_path / "failure-1.png").read_bytes().decode() == min(dice, key=dice.get)
    assert not (tmp_path / "failure-2.png").exists()


def test_a_release_says_whom_it_saw_what_to_expect_and_how_sure_to_be(
    patients_folder, tiny_checkpoint, tmp_path, capsys
):
    settings = EvaluationSettings(distances=False, segment=SegmentSettings(device="cpu"))
    tiny = load_model(tiny_checkpoint)
    evaluate(str(patients_folder), tiny, tmp_path / "evaluation", settings=settings)
    heads = {"a": {"T2": 0.1, "T1": 3.0}, "b": {"T2": 2.5}, "c": {"T2": 0.2}}
    found = {"weights_sha256": tiny.sha256, "ml": {"healthy": heads}}
    (tmp_path / "false.json").write_text(json.dumps(found))
    app = typer.Typer()
    app.command()(load("shipped-weights/release").main)
    words = [tiny_checkpoint, "--name", "new", "--evaluation", tmp_path / "evaluation"]
    words += ["--false-tumour", tmp_path / "false.json", "--calibrate", patients_folder, "--device", "cpu"]
    words += [
        "--patients-file",
        SCRIPTS / "shipped-weights" / "data.toml",
        "--out",
        tmp_path / "x.safetensors",
    ]
    CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    released = load_model(tmp_path / "x.safetensors")
    card = released.card
    for name, value in tiny.network.state_dict().items():
        assert torch.equal(released.network.state_dict()[name], value)
    assert card.name == "new"
    assert len(card.training_patients) == 18
    assert "18 real patients" in card.trained_on
    assert {"BraTS2021_00006", "BraTS-GLI-00012-000"} < set(card.training_patients)
    t2 = card.expected["T2"]
    assert t2.false_ml == FalseTumour(
        median=0.2, largest=2.5, share_below_half_ml=0.6667, heads=3, source="healthy"
    )
    scores = json.loads((tmp_path / "evaluation" / "results.json").read_text())["patients"]
    dice = [one["T2"]["WT"]["dice"] for one in scores.values() if "T2" in one]
    assert t2.dice["WT"].mean == pytest.approx(sum(dice) / 3, abs=1e-4)
    assert (t2.dice["WT"].patients, card.expected["T1"].dice["WT"].patients) == (3, 4)
    assert t2.basis == f"4 patients of {patients_folder.name}"
    assert str(tmp_path) not in card.model_dump_json()
    assert len(card.temperatures) == 15
    assert all(error.after < error.before for error in card.calibration_error.values())


def test_an_evaluation_of_other_weights_needs_a_word_on_what_it_is(tiny_checkpoint, tmp_path):
    script = load("shipped-weights/release")
    about = {"weights_sha256": "0" * 64, "data": "phantom:3:held-out", "patients": 3}
    scores = {"T1": {region: {"dice": 0.5} for region in ("WT", "TC", "ET")}}
    content = {"about": about, "failed": {}, "patients": {"a": scores, "b": scores}}
    (tmp_path / "results.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="--basis"):
        script.expectations(load_model(tiny_checkpoint), [tmp_path], [], None)
    (expected,) = script.expectations(load_model(tiny_checkpoint), [tmp_path], [], "two folds").values()
    assert (expected["basis"], expected["dice"]["WT"]["low"]) == ("two folds", 0.5)


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


def test_the_baseline_scores_every_patient(patients_folder, capsys):
    load("shipped-weights/baseline").main(str(patients_folder))
    *lines, mean = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"BraTS2021_9100{number}" for number in range(4)]
    found = [[float(word) for word in re.findall(r"(?<= )0\.\d{3}(?= at)", line)] for line in lines]
    # The best threshold of each is no worse than one for all, and the tiny tumours are bright in FLAIR.
    assert all(0 < fixed <= best <= 1 for fixed, best in found)
    assert mean == f"mean of 4: {np.mean(found, axis=0)[0]:.3f}, {np.mean(found, axis=0)[1]:.3f}"


@pytest.fixture
def in_this_process(monkeypatch):
    """Let a script that starts itself anew do so here: torch is loaded already."""

    really = subprocess.run

    def run(words, **options):
        if words[0] != sys.executable:
            return really(words, **options)
        script = next(number for number, word in enumerate(words) if word.endswith(".py"))
        app = typer.Typer()
        app.command()(sys.modules[f"script_{Path(words[script]).stem}"].main)
        done = CliRunner().invoke(app, words[script + 1 :], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return subprocess.CompletedProcess(words, 0, done.output)

    monkeypatch.setattr(subprocess, "run", run)


def test_a_step_is_measured(tmp_path, in_this_process, capsys):
    lines = ["[network]", "channels = [4, 8]", "groups = 2", "[data]", "crop = [8, 8, 8]"]
    (tmp_path / "tiny.toml").write_text("\n".join(lines))
    load("measure_step").main(str(tmp_path / "tiny.toml"), steps=2, threads=1, out=tmp_path / "step.json")
    found = json.loads((tmp_path / "step.json").read_text())
    assert found == json.loads(capsys.readouterr().out)
    assert found["gflop_per_step"] > 0
    for pair in (found["with L_MI"], found["without L_MI"]):
        assert 0 < pair["fifteen"]["seconds"] <= pair["fifteen"]["slowest"]
        assert pair["ratio"] == pair["fifteen"]["seconds"] / pair["single"]["seconds"]


def test_two_processes_are_measured_against_one(
    patients_folder, settings, tmp_path, in_this_process, monkeypatch, capsys
):
    """The script's own part, with one process in both places: that two train as one is tested elsewhere."""
    script = load("measure_distributed")
    start, started = script.start, []

    def start_one(config, folder, processes):
        started.append(processes)
        start(config.replace('"devices":2', '"devices":1'), folder, 1)

    monkeypatch.setattr(script, "start", start_one)
    script.main("laptop", str(patients_folder), settings, batch=2, steps=2, out=tmp_path / "two.json")
    found = json.loads((tmp_path / "two.json").read_text())
    assert started == [1, 1, 2, 2]
    assert found["relative_difference"] == found["largest_difference"] == 0
    assert found["within_rtol_1e-3_atol_1e-6"]
    assert found["parameters"] > 1000
    assert found["speed_up"] == found["crops_per_s_2"] / found["crops_per_s_1"]
