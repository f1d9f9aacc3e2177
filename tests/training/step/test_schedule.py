"""How long a run lasts: by steps, by the clock, or by whichever ends first."""

import json
from types import SimpleNamespace

import pytest

from napari_rdl.training.config import OptimizerConfig
from napari_rdl.training.run.session import dry_run, resume_training, run_training
from napari_rdl.training.step import trainer as trainer_module
from napari_rdl.training.step.schedule import Length, learning_rate
from napari_rdl.training.step.stepper import Stepper
from tests.training.run.conftest import stop_after

STEP_SECONDS = 10.0


def rates(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["lr"] for line in lines if "lr" in line]


@pytest.fixture
def slow_steps(monkeypatch):
    """A clock on which only steps (ten seconds each) and pauses take time."""
    now = [100.0]

    def sleep(seconds):
        now[0] += seconds

    take_step = Stepper.take_step

    def take(self, *args):
        sleep(STEP_SECONDS)
        return take_step(self, *args)

    monkeypatch.setattr(Stepper, "take_step", take)
    monkeypatch.setattr(
        trainer_module, "time", SimpleNamespace(perf_counter=lambda: now[0], sleep=sleep), raising=True
    )
    return now


@pytest.mark.parametrize(
    ("changes", "steps", "seconds"),
    [
        (("optimizer.max_steps=none", "optimizer.epochs=3"), 3, None),
        (("optimizer.max_steps=7",), 7, None),
        (("optimizer.max_steps=none", "optimizer.max_minutes=0.5"), None, 30),
        (("optimizer.max_steps=7", "optimizer.max_minutes=0.5"), 7, 30),
    ],
    ids=["epochs", "steps", "clock", "both"],
)
def test_length(tiny_training, changes, steps, seconds):
    assert Length.of(tiny_training(*changes), 2) == Length(steps, seconds)


def test_whichever_is_further_counts():
    length = Length(10, 100.0)
    assert length.done(5, 20.0) == 0.5
    assert length.done(5, 80.0) == 0.8
    assert length.done(12, 20.0) == length.done(5, 130.0) == 1.0
    # Five steps in 80 s are 6.25 in 100 s; in 20 s the ten steps come first.
    assert length.planned(5, 80.0) == 6
    assert length.planned(5, 20.0) == 10
    assert Length(None, 100.0).planned(5, 20.0) == 25


def test_rate_falls_with_what_is_done():
    config = OptimizerConfig(lr=1.0, power=0.5, warmup=3)
    assert learning_rate(config, 0, 0.0) == pytest.approx(0.25)
    assert learning_rate(config, 3, 0.75) == pytest.approx(0.5)
    assert learning_rate(config, 9, 1.0) == 0.0


def test_a_run_ends_by_the_clock_and_its_rate_follows(tiny_training, tmp_path, slow_steps):
    config = tiny_training("optimizer.max_steps=none", "optimizer.max_minutes=1", "optimizer.power=1")
    outcome = run_training(config, tmp_path / "run")
    assert (outcome.finished, outcome.step, outcome.steps) == (True, 6, 6)
    lr = config.optimizer.lr
    assert rates(tmp_path / "run") == pytest.approx([lr * (1 - step / 6) for step in range(6)])
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["step"] == 6, "the last step is validated"


def test_steps_may_end_a_run_before_the_clock(tiny_training, tmp_path, slow_steps):
    outcome = run_training(
        tiny_training("optimizer.max_steps=3", "optimizer.max_minutes=9"), tmp_path / "run"
    )
    assert (outcome.finished, outcome.step) == (True, 3)


def test_a_resumed_run_has_what_was_left_of_its_time(tiny_training, tmp_path, slow_steps):
    config = tiny_training("optimizer.max_steps=none", "optimizer.max_minutes=1", "optimizer.power=1")
    run_training(config, tmp_path / "straight")
    assert not run_training(config, tmp_path / "stopped", **stop_after(2)).finished
    slow_steps[0] += 3600
    outcome = resume_training(tmp_path / "stopped")
    assert (outcome.finished, outcome.step) == (True, 6)
    assert rates(tmp_path / "stopped") == pytest.approx(rates(tmp_path / "straight"))


def test_a_pause_is_no_time_spent_training(tiny_training, tmp_path, slow_steps, monkeypatch):
    config = tiny_training("optimizer.max_steps=none", "optimizer.max_minutes=1")
    pause = tmp_path / "run" / "PAUSE"
    went_by = []

    def sleep(seconds):
        slow_steps[0] += 600
        went_by.append(seconds)
        pause.unlink()

    def progress(done, total, message):
        if done == 2 and message.startswith("loss") and not went_by:
            monkeypatch.setattr(trainer_module.time, "sleep", sleep)
            pause.touch()

    assert run_training(config, tmp_path / "run", progress=progress).step == 6
    assert went_by


def test_a_dry_run_says_how_many_steps_the_clock_allows(tiny_training):
    report = dry_run(tiny_training("optimizer.max_steps=none", "optimizer.max_minutes=10"))
    assert report.steps == pytest.approx(600 / report.seconds_per_step, abs=1)
    assert report.hours == pytest.approx(1 / 6, rel=0.05)


def test_refused():
    with pytest.raises(ValueError, match="greater than 0"):
        OptimizerConfig(max_minutes=0)
