"""Whole runs: what they leave, how they stop, and that they go on to the bit."""

import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from napari_rdl.brats import SUBSETS, subset_name
from napari_rdl.errors import CheckpointError, ConfigError, DeviceError, NapariRdlError, OutputError
from napari_rdl.models import load_model
from napari_rdl.training.recipe import load_recipe
from napari_rdl.training.run.folder import RunFolder
from napari_rdl.training.run.session import dry_run, resume_training, run_training
from napari_rdl.training.step.state import STATE_KEY
from napari_rdl.training.step.stepper import DivergedError
from tests.training.conftest import TINY

MEASURED = ("samples_per_s", "memory_mb", "seconds")


def metrics(folder):
    """Return the lines of metrics without what a clock measured."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in MEASURED} for line in lines]


def assert_same(one, other):
    assert metrics(one) == metrics(other)
    for name in ("last.safetensors", "best.safetensors"):
        # The cards differ in nothing: equal configurations, steps and results.
        assert (one / name).read_bytes() == (other / name).read_bytes()
    assert tensors(one / "state.safetensors") == tensors(other / "state.safetensors")


def tensors(path):
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name).tolist() for name in file.keys()}  # noqa: SIM118


def at_step(step, action):
    """Return a progress callback that acts once when a step is reported."""
    return lambda done, total, message: action() if done == step and message.startswith("loss") else None


def stop_after(step):
    """Return callbacks that end a run after a step."""
    reached = []
    return {"progress": at_step(step, lambda: reached.append(step)), "cancelled": lambda: bool(reached)}


@pytest.fixture(scope="module")
def straight_once(patients_folder, cache_folder, tmp_path_factory):
    """A run that nothing disturbed, not to be changed."""
    data = (f"data.source={str(patients_folder)!r}", f"data.cache={str(cache_folder)!r}")
    folder = tmp_path_factory.mktemp("once") / "straight"
    run_training(load_recipe(None, [*TINY, *data, "optimizer.ema_decay=0.5"]), folder)
    return folder


@pytest.fixture
def straight(straight_once, tmp_path):
    """A copy of that run."""
    return shutil.copytree(straight_once, tmp_path / "straight")


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


def test_killed_and_resumed_is_the_same_run(tiny_training, tmp_path):
    """``kill -9`` while a process trains; a checkpoint every third step, a worker for the crops."""
    changes = ("optimizer.max_steps=60", "validation.every=25", "run.checkpoint_every=3", "data.workers=1")
    config = tiny_training(*changes)
    run_training(config, tmp_path / "straight")

    (tmp_path / "config.json").write_text(config.model_dump_json())
    program = (
        "import json, sys; from napari_rdl.training.recipe import validate_config;"
        "from napari_rdl.training.run.session import run_training;"
        "run_training(validate_config(json.load(open(sys.argv[1])), 'test'), sys.argv[2])"
    )
    out = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "config.json"), str(out)])
    while process.poll() is None and not (
        (out / "metrics.jsonl").exists() and (out / "metrics.jsonl").read_text().count("\n") > 9
    ):
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    done = [line["step"] for line in metrics(out)][-1]
    assert done < 60
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


@pytest.fixture(scope="module")
def halfway(patients_folder, cache_folder, tmp_path_factory):
    """A tiny run that was stopped after two steps; copied before it is spoilt."""
    out = tmp_path_factory.mktemp("halfway") / "run"
    data = (f"data.source={str(patients_folder)!r}", f"data.cache={str(cache_folder)!r}")
    run_training(load_recipe(None, [*TINY, *data]), out, **stop_after(2))
    return out


def spoil_about(key, value):
    def spoil(about, tensors):
        *parts, last = key.split(".")
        place = about
        for part in parts:
            place = place[part]
        place[last] = value

    return spoil


def drop_about(key):
    return lambda about, tensors: about.pop(key)


def drop_tensor(beginning):
    def spoil(about, tensors):
        del tensors[next(name for name in tensors if name.startswith(beginning))]

    return spoil


def put_tensor(name, value):
    return lambda about, tensors: tensors.update({name: value})


@pytest.mark.parametrize(
    "spoil",
    [
        *map(drop_about, ("config", "position", "param_groups", "optimizer_scalars", "scaler", "random")),
        spoil_about("position", []),
        spoil_about("position.step", -3),
        spoil_about("position.step", "x"),
        spoil_about("position.crops", [1]),
        spoil_about("position.seconds", "long"),
        spoil_about("random.python", [3, [1, 2], None]),
        spoil_about("random.python", 3),
        spoil_about("random.numpy", ["MT19937", [1], 0, 0, 0.0]),
        spoil_about("random.numpy", ["none", [], 0, 0, 0.0]),
        spoil_about("param_groups", [{}]),
        spoil_about("param_groups", 3),
        spoil_about("optimizer_scalars", {"x": {}}),
        drop_tensor("model/"),
        drop_tensor("random/torch"),
        put_tensor("model/stranger", torch.zeros(1)),
        put_tensor("random/torch", torch.zeros(3)),
        put_tensor("optimizer/x", torch.zeros(1)),
        put_tensor("optimizer/x/y", torch.zeros(1)),
    ],
)
def test_a_state_that_is_none_is_refused_in_a_sentence(halfway, tmp_path, spoil):
    out = tmp_path / "spoilt"
    shutil.copytree(halfway, out)
    state = out / "state.safetensors"
    with safe_open(state, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = json.loads(file.metadata()[STATE_KEY])
    spoil(about, tensors)
    save_file(tensors, state, {STATE_KEY: json.dumps(about)})
    before = state.read_bytes()
    with pytest.raises(CheckpointError, match=r"state\.safetensors") as caught:
        resume_training(out)
    assert "\n" not in str(caught.value)
    assert state.read_bytes() == before


@pytest.mark.parametrize("name", ["config.json", "split.json"])
@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"[" * 100_000, b"9" * 5_000, b"[]", b"null", b'{"data": 3}'],
    ids=lambda content: repr(content[:12]),
)
def test_a_run_folder_that_is_none_is_refused_in_a_sentence(halfway, tmp_path, name, content):
    out = tmp_path / "spoilt"
    shutil.copytree(halfway, out)
    (out / name).write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        resume_training(out)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_resuming_a_finished_run_changes_nothing(straight):
    before = metrics(straight)
    assert resume_training(straight).finished
    assert metrics(straight) == before


@contextmanager
def room_for(size):
    """Let no file grow beyond `size` bytes: writing then fails as on a full disk."""
    # What is imported meanwhile must not leave half a .pyc behind.
    writes_no_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
        sys.dont_write_bytecode = writes_no_bytecode


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning:")  # TensorBoard's thread
def test_full_disk_is_survived(tiny_training, straight, tmp_path, caplog):
    out, states, full = tmp_path / "full", {}, ExitStack()

    def progress(done, total, message):
        if not message.startswith("loss"):
            return
        if done == 3:
            states["before"] = (out / "state.safetensors").read_bytes()
            full.enter_context(room_for(2000))
        if done == 5:
            states["while full"] = (out / "state.safetensors").read_bytes()
            full.close()

    assert run_training(tiny_training("optimizer.ema_decay=0.5"), out, progress=progress).finished
    assert states["while full"] == states["before"]
    assert "training goes on" in caplog.text
    assert metrics(out) == metrics(straight)
    assert (out / "last.safetensors").read_bytes() == (straight / "last.safetensors").read_bytes()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning:")  # TensorBoard's thread
def test_best_weights_that_found_no_room_are_not_the_best(tiny_training, tmp_path, monkeypatch):
    scores, full = iter((0.3, 0.2)), ExitStack()
    monkeypatch.setattr("napari_rdl.training.step.trainer.overall", lambda table: next(scores))

    def progress(done, total, message):
        if message.startswith("loss"):
            full.enter_context(room_for(0)) if done == 1 else full.close()

    config = tiny_training("optimizer.max_steps=2", "validation.every=1")
    assert run_training(config, tmp_path / "run", progress=progress).best == 0.2
    assert load_model(tmp_path / "run" / "best.safetensors").card.steps == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning:")  # TensorBoard's thread
def test_last_good_checkpoint_stays_when_the_end_cannot_be_written(tiny_training, straight, tmp_path):
    out, config = tmp_path / "full", tiny_training("optimizer.ema_decay=0.5")
    with ExitStack() as until, pytest.raises(OutputError, match="the one before is kept"):
        run_training(config, out, progress=at_step(3, lambda: until.enter_context(room_for(0))))
    resume_training(out)
    assert_same(straight, out)


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


def test_a_run_may_be_resumed_from_another_folder(tiny_training, patients_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(patients_folder.parent)
    config = tiny_training(f"data.source={patients_folder.name!r}", "data.cache=cache")
    run_training(config, tmp_path / "run", **stop_after(2))
    monkeypatch.chdir(tmp_path)
    assert resume_training("run").finished
    assert not (tmp_path / "cache").exists()


def test_dry_run_writes_nothing(tiny_training, tmp_path):
    report = dry_run(tiny_training())
    assert (report.train, report.validation, report.steps) == (2, 2, 5)
    assert report.seconds_per_step > 0
    assert report.hours == pytest.approx(5 * report.seconds_per_step / 3600)
    assert report.memory_mb > 10
    assert report.parameters > 1000


@pytest.mark.parametrize("fusion", ["mean", "gated"])
def test_a_run_begins_with_the_weights_of_a_checkpoint(tiny_training, tiny_checkpoint, tmp_path, fusion):
    """A vanishing learning rate shows what the run began with; an absent gate begins as the mean."""
    run_training(
        tiny_training(
            f"start_from={str(tiny_checkpoint)!r}",
            f"network.fusion={fusion}",
            "optimizer.lr=1e-12",
            "optimizer.max_steps=1",
        ),
        tmp_path / "run",
    )
    trained = load_model(tmp_path / "run" / "last.safetensors")
    given = load_model(tiny_checkpoint).network.state_dict()
    found = trained.network.state_dict()
    for name, value in given.items():
        torch.testing.assert_close(found[name], value, atol=1e-9, rtol=0)
    assert {name.partition(".")[0] for name in found.keys() - given.keys()} == (
        {"gate"} if fusion == "gated" else set()
    )
    assert "tiny.safetensors" in trained.card.trained_on
    assert trained.card.recipe["start_from"] == "tiny.safetensors"


def test_fine_tuning_is_killed_and_resumed_without_its_first_checkpoint(
    tiny_training, tiny_checkpoint, tmp_path
):
    first = tmp_path / "first.safetensors"
    first.write_bytes(tiny_checkpoint.read_bytes())
    config = tiny_training(f"start_from={str(first)!r}")
    run_training(config, tmp_path / "straight")
    assert not run_training(config, tmp_path / "stopped", **stop_after(3)).finished
    first.unlink()
    assert resume_training(tmp_path / "stopped").finished
    assert_same(tmp_path / "straight", tmp_path / "stopped")


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
    config = tiny_training(f"data.source={str(tmp_path / 'data')!r}", "data.spacing=[4, 4, 4]")
    outcome = run_training(config, tmp_path / "run")
    assert outcome.finished
    assert outcome.best >= 0


def spoiled_label(array, affine):
    array = array.copy()
    array[5, 5, 5] = 9
    return array, affine


def other_grid(array, affine):
    affine[0, 3] += 7
    return array, affine


class TestBadInput:
    """One sentence, and the run folder as it was."""

    @pytest.fixture
    def refused(self, tmp_path):
        def check(start, kind, words):
            before = sorted(tmp_path.rglob("*"))
            with pytest.raises(kind, match=words) as error:
                start()
            assert sorted(tmp_path.rglob("*")) == before
            assert issubclass(kind, NapariRdlError)
            assert "\n" not in str(error.value)

        return check

    def test_folder_that_is_not_empty(self, tiny_training, tmp_path, refused):
        (tmp_path / "notes.txt").write_text("mine")
        refused(lambda: run_training(tiny_training(), tmp_path), OutputError, "is not empty")

    def test_no_gpu(self, tiny_training, tmp_path, refused):
        if torch.cuda.is_available():
            pytest.skip("there is a GPU here")
        config = tiny_training("hardware.device=cuda")
        refused(lambda: run_training(config, tmp_path / "run"), DeviceError, "hardware.device is cuda")

    def test_half_precision_on_the_cpu(self, tiny_training, tmp_path, refused):
        config = tiny_training("hardware.precision=16-mixed")
        refused(lambda: run_training(config, tmp_path / "run"), DeviceError, "needs a GPU")

    @pytest.fixture
    def broken_patient(self, patients_folder, tmp_path_factory):
        """The dataset with one more patient, whose file an editor spoils."""
        import nibabel as nib
        import numpy as np

        def spoil(ending, change):
            root = tmp_path_factory.mktemp("broken")
            shutil.copytree(patients_folder, root, dirs_exist_ok=True)
            path = next(root.glob(f"BraTS2021_91001/*_{ending}.nii.gz"))
            image = nib.load(path)
            array, affine = change(np.asarray(image.dataobj), image.affine.copy())
            nib.save(nib.Nifti1Image(array, affine), path)
            return root

        return spoil

    @pytest.mark.parametrize(
        ("ending", "change", "words"),
        [("seg", spoiled_label, "BraTS2021_91001.*9"), ("t2", other_grid, "BraTS2021_91001.*grid")],
        ids=["label", "grid"],
    )
    def test_broken_patient(self, tiny_training, tmp_path, refused, broken_patient, ending, change, words):
        config = tiny_training(f"data.source={str(broken_patient(ending, change))!r}")
        refused(lambda: run_training(config, tmp_path / "run"), ConfigError, words)

    def test_broken_patients_may_be_left_out(self, tiny_training, tmp_path, broken_patient):
        root = broken_patient("seg", spoiled_label)
        config = tiny_training(f"data.source={str(root)!r}", "data.skip_broken=true", "optimizer.max_steps=1")
        run_training(config, tmp_path / "run")
        split = json.loads((tmp_path / "run" / "split.json").read_text())
        assert list(split["left_out"]) == ["BraTS2021_91001"]
        assert "BraTS2021_91001" not in split["train"] + split["validation"]

    def test_beginning_with_another_architecture(self, tiny_training, tiny_checkpoint, tmp_path, refused):
        config = tiny_training(f"start_from={str(tiny_checkpoint)!r}", "network.channels=[4, 16]")
        refused(lambda: run_training(config, tmp_path / "run"), ConfigError, r"network.channels = \(4, 8\)")

    def test_beginning_with_nothing(self, tiny_training, tmp_path, refused):
        config = tiny_training("start_from=absent.safetensors")
        refused(lambda: run_training(config, tmp_path / "run"), CheckpointError, "absent.safetensors")

    def test_resuming_nothing(self, tmp_path, refused):
        refused(lambda: resume_training(tmp_path / "none"), ConfigError, "is no run folder")

    def test_resuming_with_another_configuration(self, straight, tmp_path, refused):
        config = json.loads((straight / "config.json").read_text())
        config["optimizer"]["lr"] = 0.5
        (straight / "config.json").write_text(json.dumps(config))
        refused(lambda: resume_training(straight), ConfigError, "not the configuration")

    def test_resuming_without_a_setting(self, straight, refused):
        config = json.loads((straight / "config.json").read_text())
        del config["optimizer"]["lr"]
        (straight / "config.json").write_text(json.dumps(config))
        refused(lambda: resume_training(straight), ConfigError, "not the configuration")

    def test_resuming_with_other_patients(self, straight, refused):
        split = json.loads((straight / "split.json").read_text())
        split["train"] = split["train"][:1]
        (straight / "split.json").write_text(json.dumps(split))
        refused(lambda: resume_training(straight), ConfigError, "train patients are no longer those")

    @pytest.mark.parametrize("content", [b"", b"x" * 100, None])
    def test_damaged_state(self, straight, refused, content):
        state = straight / "state.safetensors"
        state.write_bytes(state.read_bytes()[:-10] if content is None else content)
        refused(lambda: resume_training(straight), CheckpointError, "cannot be read as a run's state")

    def test_damaged_configuration(self, straight, refused):
        (straight / "config.json").write_text("{")
        refused(lambda: resume_training(straight), ConfigError, "cannot be read")
