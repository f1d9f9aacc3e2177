"""Runs that are stopped, killed or moved go on to the bit."""

import hashlib
import json
import os
import signal
import subprocess
import time

import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from napari_rdl.holder import ProcessMark
from napari_rdl.training.run.folder import RunFolder
from napari_rdl.training.run.running import read_record
from napari_rdl.training.run.session import resume_training, run_training
from napari_rdl.training.step.state import STATE_KEY
from tests.training.run.conftest import assert_same, at_step, metrics, stop_after


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_stopped_and_resumed_is_the_same_run(tiny_training, straight, tmp_path, at):
    config, out = tiny_training("optimizer.ema_decay=0.5"), tmp_path / "stopped"
    outcome = run_training(config, out, **stop_after(at))
    assert (outcome.finished, outcome.step) == (False, at)
    assert resume_training(out).finished
    assert_same(straight, out)


def test_a_run_of_a_version_without_a_setting_goes_on(tiny_training, straight, tmp_path):
    """Its configuration lacks the setting, and so does what its state remembers of it."""
    config, out = tiny_training("optimizer.ema_decay=0.5"), tmp_path / "older"
    run_training(config, out, **stop_after(2))
    written = RunFolder(out).read_config()
    older = written.model_dump_json(exclude={"loss": {"full_weight"}})
    (out / "config.json").write_text(older)
    with safe_open(out / "state.safetensors", framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = json.loads(file.metadata()[STATE_KEY])
    about["config"] = hashlib.sha256(older.encode()).hexdigest()
    save_file(tensors, out / "state.safetensors", {STATE_KEY: json.dumps(about)})
    assert resume_training(out, **stop_after(3)).step == 3
    assert resume_training(out).finished
    assert_same(straight, out)


def test_stop_file_ends_a_run_and_is_taken_away(tiny_training, straight, tmp_path):
    out = tmp_path / "stopped"
    config = tiny_training("optimizer.ema_decay=0.5")
    outcome = run_training(config, out, progress=at_step(2, (out / "STOP").touch))
    assert not outcome.finished
    assert resume_training(out).finished
    assert_same(straight, out)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_a_run_cleanly(tiny_training, tmp_path, number):
    before = signal.getsignal(number)
    progress = at_step(3, lambda: os.kill(os.getpid(), number))
    outcome = run_training(tiny_training(), tmp_path / "run", progress=progress)
    assert (outcome.finished, outcome.step) == (False, 3)
    assert signal.getsignal(number) is before


def test_killed_and_resumed_is_the_same_run(tiny_training, warm_python, tmp_path):
    """``kill -9`` while a process trains; a checkpoint every third step, a worker for the crops."""
    changes = ("optimizer.max_steps=30", "validation.every=15", "run.checkpoint_every=3", "data.workers=1")
    config = tiny_training(*changes)
    run_training(config, tmp_path / "straight")

    (tmp_path / "config.json").write_text(config.model_dump_json())
    program = (
        "import json, sys; from napari_rdl.training.recipe import validate_config;"
        "from napari_rdl.training.run.session import run_training;"
        "run_training(validate_config(json.load(open(sys.argv[1])), 'test'), sys.argv[2])"
    )
    out = tmp_path / "killed"
    process = subprocess.Popen([warm_python, "-c", program, str(tmp_path / "config.json"), str(out)])
    while process.poll() is None and not (
        (out / "metrics.jsonl").exists() and (out / "metrics.jsonl").read_text().count("\n") > 6
    ):
        time.sleep(0.001)
    os.kill(read_record(RunFolder(out).running, ProcessMark).pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = [line["step"] for line in metrics(out)][-1]
    assert done < 30
    resume_training(out)
    assert_same(tmp_path / "straight", out)


def test_metrics_written_after_the_checkpoint_are_cut_back(tiny_training, straight, tmp_path):
    out = tmp_path / "stopped"
    run_training(tiny_training("optimizer.ema_decay=0.5"), out, **stop_after(3))
    with (out / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "loss": 9.0}\n{"step": 5, "lo')
    resume_training(out)
    assert_same(straight, out)


def test_killed_before_the_first_checkpoint_starts_again(tiny_training, straight, tmp_path):
    out = tmp_path / "early"
    run_training(tiny_training("optimizer.ema_decay=0.5"), out, **stop_after(1))
    (out / "state.safetensors").unlink()
    (out / ".writing-x.safetensors").write_bytes(b"half")
    resume_training(out)
    assert_same(straight, out)
    assert not list(out.glob(".writing-*"))


def test_resuming_a_finished_run_changes_nothing(straight):
    before = metrics(straight)
    assert resume_training(straight).finished
    assert metrics(straight) == before


def test_a_run_may_be_resumed_from_another_folder(tiny_training, patients_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(patients_folder.parent)
    config = tiny_training(f"data.source={patients_folder.name!r}", "data.cache=cache")
    run_training(config, tmp_path / "run", **stop_after(2))
    monkeypatch.chdir(tmp_path)
    assert resume_training("run").finished
    assert not (tmp_path / "cache").exists()
