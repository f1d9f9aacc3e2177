"""Whole runs: what they leave, and the ways in which they train."""

import json

import pytest
import torch
from safetensors import safe_open

from napari_rdl.brats import SUBSETS, subset_name
from napari_rdl.models import load_model
from napari_rdl.training.run.folder import RunFolder
from napari_rdl.training.run.session import dry_run, run_training
from napari_rdl.training.step.stepper import DivergedError
from tests.training.run.conftest import metrics, tensors


def test_a_run_is_a_folder(straight):
    folder = RunFolder(straight)
    for path in (folder.config, folder.split, folder.environment, folder.log, folder.metrics, folder.state):
        assert path.stat().st_size > 0
    lines = metrics(straight)
    steps = [line for line in lines if "loss" in line]
    assert [line["step"] for line in steps] == [1, 2, 3, 4, 5]
    for term in ("dice", "divergence", "mutual_information", "lr", "gradient_norm", "epoch"):
        assert all(isinstance(line[term], float) for line in steps)
    assert [line["step"] for line in lines if "validation" in line] == [4, 5]
    scores = next(line["validation"] for line in lines if "validation" in line)
    assert list(scores) == [subset_name(subset) for subset in SUBSETS]
    assert all(set(row) == {"WT", "TC", "ET"} for row in scores.values())
    assert not list(straight.glob(".writing-*"))


def test_best_and_last_are_models(straight):
    for name in ("best", "last"):
        model = load_model(straight / f"{name}.safetensors")
        assert model.card.spacing == (2, 2, 2)
        assert set(model.card.results["validation"]["T1"]) == {"WT", "TC", "ET"}
        assert model.card.recipe["optimizer"]["ema_decay"] == 0.5
    assert load_model(straight / "last.safetensors").card.steps == 5


def test_events_for_tensorboard(straight):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(straight / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3, 4, 5]
    assert [event.step for event in events.Scalars("validation/mean_dice")] == [4, 5]


def test_a_loss_that_is_no_number_stops_the_run(tiny_training, tmp_path):
    config = tiny_training("optimizer.lr=1e30", "run.checkpoint_every=1", "validation.every=100")
    with pytest.raises(DivergedError, match=r"at step 2 \(patients BraTS2021_9100.*last checkpoint is kept"):
        run_training(config, tmp_path / "run")
    with safe_open(tmp_path / "run" / "state.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["napari-rdl-training-state"])["position"]["step"] == 1


def test_learning_lowers_the_loss(tiny_training, tmp_path):
    changes = ("optimizer.max_steps=40", "optimizer.lr=1e-2", "validation.every=100", "augment.flip=0")
    run_training(tiny_training(*changes, "data.tumour_share=1"), tmp_path / "run")
    losses = [line["loss"] for line in metrics(tmp_path / "run") if "loss" in line]
    assert sum(losses[-8:]) < 0.75 * sum(losses[:8])


def test_accumulated_gradients_are_those_of_the_batch(tiny_training, tmp_path):
    changes = ("optimizer.batch=4", "optimizer.max_steps=2", "optimizer.warmup=1")
    run_training(tiny_training(*changes), tmp_path / "whole")
    run_training(tiny_training(*changes, "optimizer.micro_batch=1"), tmp_path / "parts")
    whole, parts = (tensors(tmp_path / name / "state.safetensors") for name in ("whole", "parts"))
    for name in whole:
        if name.endswith("/exp_avg"):
            torch.testing.assert_close(
                torch.tensor(parts[name]), torch.tensor(whole[name]), rtol=1e-3, atol=1e-6
            )


@pytest.mark.parametrize(
    "changes",
    [
        ("hardware.precision=bf16-mixed",),
        ("network.fusion=gated", "network.norm=shared"),
        ("loss.subsets_per_step=1", "loss.target=full"),
        ("loss.kind=jensen_shannon", "loss.mutual_information=0"),
        ("optimizer.clip=0.1", "optimizer.warmup=2"),
    ],
    ids=" ".join,
)
def test_other_ways_to_train(tiny_training, tmp_path, changes):
    outcome = run_training(tiny_training("optimizer.max_steps=2", *changes), tmp_path / "run")
    assert outcome.finished
    assert load_model(outcome.folder / "best.safetensors").card.steps == 2


def test_dry_run_writes_nothing(tiny_training, tmp_path):
    report = dry_run(tiny_training())
    assert (report.train, report.validation, report.steps) == (2, 2, 5)
    assert report.seconds_per_step > 0
    assert report.hours == pytest.approx(5 * report.seconds_per_step / 3600)
    assert report.memory_mb > 10
    assert report.parameters > 1000


@pytest.fixture
def full_size_patient(request, tmp_path):
    """A patient as BraTS has them, made at 4 mm, or a real one where there is one."""
    if request.param == "real":
        return request.getfixturevalue("real_data") / "BraTS2021_00006"
    from napari_rdl.phantom import make_phantom, write_phantom

    return write_phantom(make_phantom(3, spacing=4), tmp_path / "made")


@pytest.mark.parametrize("full_size_patient", ["made", "real"], indirect=True)
def test_patients_as_brats_has_them(tiny_training, full_size_patient, tmp_path):
    (tmp_path / "data").mkdir()
    for number in range(2):
        (tmp_path / "data" / f"patient_{number}").symlink_to(full_size_patient)
    changes = ("data.spacing=[4, 4, 4]", "optimizer.max_steps=2")
    config = tiny_training(f"data.source={str(tmp_path / 'data')!r}", *changes)
    outcome = run_training(config, tmp_path / "run")
    assert outcome.finished
    assert outcome.best >= 0
