"""What a run tells whoever watches its folder, and the wishes it takes from there."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from napari_rdl.errors import CaseError, ConfigError, DeviceError, OutputError
from napari_rdl.holder import ProcessMark, is_alive, mark_of
from napari_rdl.training.run import record
from napari_rdl.training.run.folder import RunFolder
from napari_rdl.training.run.running import Ended, read_record
from napari_rdl.training.run.session import resume_training, run_training
from napari_rdl.training.step.preview import Example, preview_pixels
from tests.training.run.conftest import assert_same, at_step, metrics, stop_after


def test_a_run_says_who_trains_and_how_it_ended(tiny_training, tmp_path):
    folder, seen = RunFolder(tmp_path / "run"), []
    run_training(
        tiny_training(),
        folder.path,
        progress=at_step(2, lambda: seen.append(read_record(folder.running, ProcessMark))),
    )
    assert seen[0].pid == os.getpid()
    assert is_alive(seen[0])
    assert not folder.running.exists()
    ended = read_record(folder.ended, Ended)
    assert (ended.finished, ended.step, ended.steps, ended.problem) == (True, 5, 5, None)
    assert ended.best >= 0


def test_a_stopped_run_says_so_and_forgets_it_when_it_goes_on(tiny_training, tmp_path):
    folder, seen = RunFolder(tmp_path / "run"), []
    run_training(tiny_training(), folder.path, **stop_after(2))
    ended = read_record(folder.ended, Ended)
    assert (ended.finished, ended.step) == (False, 2)
    resume_training(folder.path, progress=at_step(4, lambda: seen.append(folder.ended.exists())))
    assert seen == [False]
    assert read_record(folder.ended, Ended).finished


def test_a_process_that_is_gone_or_another_one_is_not_alive():
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    mark = mark_of(process.pid)
    process.wait()
    assert is_alive(mark) is False
    mine = mark_of(os.getpid())
    assert is_alive(mine)
    assert is_alive(mine.model_copy(update={"process_started": mine.process_started - 60})) is False
    assert is_alive(mine.model_copy(update={"host": "elsewhere"})) is None


@pytest.mark.parametrize(
    ("host", "words"), [(socket.gethostname(), "STOP in the folder.$"), ("elsewhere", "delete running.json")]
)
def test_a_run_that_goes_on_is_not_resumed_a_second_time(tiny_training, tmp_path, host, words):
    folder = RunFolder(tmp_path / "run")
    run_training(tiny_training(), folder.path, **stop_after(2))
    mark = mark_of(os.getppid()).model_copy(update={"host": host})
    folder.running.write_text(mark.model_dump_json())
    before = {path: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
    with pytest.raises(ConfigError, match=words):
        resume_training(folder.path)
    assert {path: path.read_bytes() for path in folder.path.iterdir() if path.is_file()} == before


def test_the_mark_of_a_process_that_was_killed_is_no_hindrance(tiny_training, tmp_path):
    folder = RunFolder(tmp_path / "run")
    run_training(tiny_training(), folder.path, **stop_after(2))
    mark = mark_of(os.getppid())
    folder.running.write_text(mark.model_copy(update={"process_started": 1.0}).model_dump_json())
    assert resume_training(folder.path).finished


def test_a_paused_run_waits_with_a_checkpoint_and_is_the_same_run(tiny_training, tmp_path):
    config = tiny_training("optimizer.ema_decay=0.5", "run.checkpoint_every=100")
    run_training(config, tmp_path / "straight")
    folder, waited = RunFolder(tmp_path / "paused"), []

    def go_on():
        while not folder.state.exists():
            time.sleep(0.01)
        time.sleep(0.4)
        waited.append(metrics(folder.path)[-1]["step"])
        folder.pause.unlink()

    def pause():
        folder.pause.touch()
        threading.Thread(target=go_on).start()

    run_training(config, folder.path, progress=at_step(2, pause))
    assert waited == [2]
    assert_same(tmp_path / "straight", folder.path)


def test_a_paused_run_can_be_stopped(tiny_training, tmp_path):
    folder = RunFolder(tmp_path / "run")

    def pause_and_stop():
        folder.pause.touch()
        folder.stop.touch()

    outcome = run_training(tiny_training(), folder.path, progress=at_step(2, pause_and_stop))
    assert outcome.step == 2
    assert resume_training(folder.path).finished


def test_a_run_whose_folder_is_moved_ends_and_goes_on_from_there(tiny_training, tmp_path):
    config = tiny_training("optimizer.ema_decay=0.5", "run.checkpoint_every=1")
    run_training(config, tmp_path / "straight")
    old, new = tmp_path / "run", tmp_path / "moved"
    with pytest.raises(OutputError, match="moved or deleted"):
        run_training(config, old, progress=at_step(3, lambda: old.rename(new)))
    assert resume_training(new).finished
    assert_same(tmp_path / "straight", new)


# TensorBoard's own thread finds its file gone; the run goes on without it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("written", ["write_preview", "save_model", "save_state"])
def test_no_second_folder_is_made_where_a_run_was_moved_from(tiny_training, tmp_path, monkeypatch, written):
    """The folder goes at the worst moment: between the look at it and a file that is written there."""
    old, new = tmp_path / "run", tmp_path / "moved"
    write = getattr(record, written)

    def move_first(*args, **options):
        if old.exists():
            old.rename(new)
        return write(*args, **options)

    monkeypatch.setattr(record, written, move_first)
    with pytest.raises(OutputError, match="moved or deleted"):
        run_training(tiny_training(), old)
    assert not old.exists()


def test_the_reason_of_an_end_stands_in_the_folder(tiny_training, tmp_path):
    def fail():
        raise ZeroDivisionError("a slip")

    with pytest.raises(ZeroDivisionError):
        run_training(tiny_training(), tmp_path / "run", progress=at_step(2, fail))
    ended = read_record(RunFolder(tmp_path / "run").ended, Ended)
    assert (ended.finished, ended.step, ended.problem) == (False, 2, "ZeroDivisionError: a slip")


def test_out_of_memory_at_the_first_step_says_what_to_lower(tiny_training, tmp_path):
    config = tiny_training("data.crop=[16384, 16384, 16384]", "validation.tile=8")
    with pytest.raises(DeviceError, match=r"at step 1: lower optimizer.micro_batch \(now 2\), data.crop"):
        run_training(config, tmp_path / "run")
    assert "Memory ran out" in read_record(RunFolder(tmp_path / "run").ended, Ended).problem


@pytest.fixture
def own_patients(patients_folder, tmp_path):
    """The patients, for a test that spoils them, and a cache of their own."""
    shutil.copytree(patients_folder, tmp_path / "patients")
    return tmp_path / "patients", tmp_path / "cache"


def test_a_run_ends_on_the_data_that_it_began_with(tiny_training, own_patients, tmp_path):
    patients, cache = own_patients
    config = tiny_training(f"data.source={str(patients)!r}", f"data.cache={str(cache)!r}")
    run_training(config, tmp_path / "straight")
    out = tmp_path / "run"
    run_training(config, out, progress=at_step(2, lambda: shutil.rmtree(patients)))
    assert_same(tmp_path / "straight", out)


def test_a_problem_in_a_worker_is_one_sentence(tiny_training, own_patients, tmp_path):
    patients, cache = own_patients
    config = tiny_training(
        f"data.source={str(patients)!r}",
        f"data.cache={str(cache)!r}",
        "data.workers=1",
        "optimizer.max_steps=40",
        "validation.every=100",
    )

    def spoil():
        shutil.rmtree(patients)
        shutil.rmtree(cache)

    with pytest.raises(CaseError) as error:
        run_training(config, tmp_path / "run", progress=at_step(2, spoil))
    assert "\n" not in str(error.value)
    assert str(patients) in str(error.value)


def test_a_folder_that_holds_only_what_started_the_run_is_new(tmp_path):
    folder = RunFolder(tmp_path)
    folder.request.write_text("{}")
    folder.output.write_text("")
    folder.require_new()
    folder.config.write_text("{}")
    with pytest.raises(OutputError):
        folder.require_new()


def test_a_preview_shows_label_and_prediction(tiny_training, tmp_path):
    run_training(tiny_training(), tmp_path / "run")
    with Image.open(tmp_path / "run" / "preview.png") as picture:
        assert picture.width > picture.height > 90
    assert (tmp_path / "run" / "preview.png").stat().st_size < 50_000


def test_a_preview_is_seen_as_radiologists_see_it():
    image = np.full((4, 40, 60, 5), 1.0, np.float32)
    truth = np.zeros((40, 60, 5), np.uint8)
    truth[30:35, 40:50, 3] = 3  # right and anterior
    pixels = preview_pixels(Example(image, truth, np.zeros_like(truth))).astype(int)
    yellow = pixels[..., 0] - pixels[..., 2] > 40
    rows, columns = np.nonzero(yellow)
    half = pixels.shape[1] // 2
    assert columns.max() < half / 2, "the patient's right is on the left of the left picture"
    assert rows.max() < pixels.shape[0] / 2


def test_a_torch_that_cannot_be_loaded_is_one_sentence(tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise OSError('libsomething.so is missing')")
    done = subprocess.run(
        [sys.executable, "-m", "napari_rdl.training", "--data", "phantom:2", "--out", str(tmp_path / "run")],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "PyTorch" in done.stderr
    assert "libsomething.so is missing" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_ended_is_plain_json(tiny_training, tmp_path):
    run_training(tiny_training("optimizer.max_steps=1"), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "ended.json").read_text())["steps"] == 1
