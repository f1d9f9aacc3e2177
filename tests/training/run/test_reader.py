"""What a watcher makes of a run folder's files, written here as a run would leave them."""

from __future__ import annotations

import json
import os
import time

import pytest

from napari_rdl.errors import Remedy
from napari_rdl.holder import mark_of
from napari_rdl.training.recipe import load_recipe
from napari_rdl.training.run.folder import RunFolder
from napari_rdl.training.run.growing import PIECE
from napari_rdl.training.run.process import Request
from napari_rdl.training.run.reader import RunReader, State
from napari_rdl.training.run.running import Ended
from napari_rdl.training.run.status import Status


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.config.write_text(load_recipe("laptop").model_dump_json())
    return folder


def line(step, **values):
    content = {
        "step": step,
        "epoch": step / 8,
        "loss": 1 / step,
        "dice": 0.5,
        "lr": 1e-3,
        "gradient_norm": 1.0,
    }
    return json.dumps({**content, "samples_per_s": 4.0, "memory_mb": 300, **values}) + "\n"


def validation(step, dice):
    scores = {name: {"WT": dice, "TC": dice / 2, "ET": 0.0} for name in ("T1", "Full")}
    return json.dumps({"step": step, "validation": scores, "mean_dice": dice / 2, "seconds": 10.0}) + "\n"


def run_on(folder, **changes):
    folder.running.write_text(mark_of(os.getpid()).model_copy(update=changes).model_dump_json())


def test_curves_figures_and_time_left(folder):
    run_on(folder)
    folder.metrics.write_text(line(5) + line(10) + validation(10, 0.8))
    reader = RunReader(folder.path)
    glance = reader.look()
    assert (glance.state, glance.step, glance.steps) == (State.RUNNING, 10, 600)
    assert reader.curves.steps == [5, 10]
    assert reader.curves.losses["loss"] == [1 / 5, 1 / 10]
    assert set(reader.curves.losses) == {"loss", "dice"}
    assert reader.curves.dice == {"mean": [0.4], "WT": [0.8], "TC": [0.4], "ET": [0.0]}
    # 590 steps of 2 crops at 4 crops a second, and 6 validations of 10 seconds.
    assert glance.seconds_left == pytest.approx(590 * 2 / 4 + 60)
    assert (glance.memory_mb, glance.best) == (300, 0.4)


def test_a_run_by_the_clock_says_how_many_steps_it_expects(folder):
    run_on(folder)
    folder.metrics.write_text(line(5, steps=900) + line(10, steps=800))
    reader = RunReader(folder.path)
    assert reader.look().steps == 800
    assert set(reader.curves.losses) == {"loss", "dice"}


def test_only_new_bytes_are_read_and_half_a_line_waits(folder):
    run_on(folder)
    folder.metrics.write_text(line(5))
    reader = RunReader(folder.path)
    before = reader.look()
    with folder.metrics.open("a") as file:
        file.write(line(10)[:30])
    assert reader.look() == before
    with folder.metrics.open("a") as file:
        file.write(line(10)[30:])
    assert reader.look().step == 10
    assert reader.look().version == reader.look().version


def test_a_long_history_is_read_in_pieces(folder):
    run_on(folder)
    folder.metrics.write_text("".join(line(step) for step in range(1, 400)))
    assert folder.metrics.stat().st_size > 2 * PIECE
    reader, looks = RunReader(folder.path), 1
    while reader.look().more:
        looks += 1
    assert looks == -(-folder.metrics.stat().st_size // PIECE)
    assert reader.curves.steps == list(range(1, 400))


def test_steps_that_are_taken_again_replace_those_before(folder):
    run_on(folder)
    folder.metrics.write_text(line(5) + line(10) + validation(10, 0.8) + line(15))
    reader = RunReader(folder.path)
    reader.look()
    folder.metrics.write_text(line(5))
    reader.look()
    with folder.metrics.open("a") as file:
        file.write(line(10, loss=7.0) + validation(10, 0.2))
    reader.look()
    assert reader.curves.steps == [5, 10]
    assert reader.curves.losses["loss"] == [1 / 5, 7.0]
    assert reader.curves.dice["WT"] == [0.2]


def test_states_of_a_run_that_goes_on(folder):
    reader = RunReader(folder.path)
    run_on(folder)
    assert reader.look().state is State.RUNNING
    folder.pause.touch()
    assert reader.look().state is State.PAUSED
    folder.stop.touch()
    assert reader.look().state is State.STOPPING
    folder.stop.unlink()
    folder.pause.unlink()
    run_on(folder, host="elsewhere")
    glance = reader.look()
    assert glance.state is State.RUNNING
    assert glance.host == "elsewhere"


@pytest.mark.parametrize(
    ("ended", "state"),
    [
        (Ended(finished=True, step=600, steps=600, best=0.5), State.FINISHED),
        (Ended(step=20, steps=600), State.STOPPED),
        (Ended(step=20, steps=600, problem="The loss is no number."), State.FAILED),
    ],
)
def test_states_of_a_run_that_could_speak_at_its_end(folder, ended, state):
    folder.ended.write_text(ended.model_dump_json())
    folder.metrics.write_text(line(15))
    glance = RunReader(folder.path).look()
    assert (glance.state, glance.step) == (state, ended.step)
    assert glance.problem == ended.problem
    assert glance.resumable is (state is State.STOPPED)


def test_a_process_that_died_says_its_code_where_it_is_known(folder):
    run_on(folder, process_started=1.0)
    glance = RunReader(folder.path).look(exit_code=-9)
    assert (glance.state, glance.began, glance.problem, glance.exit_code) == (State.FAILED, True, None, -9)


def test_a_process_that_was_ended_on_purpose_has_not_died(folder):
    run_on(folder, process_started=1.0)
    folder.killed.touch()
    reader = RunReader(folder.path)
    glance = reader.look(exit_code=-9)
    assert (glance.state, glance.killed) == (State.STOPPED, True)
    run_on(folder)
    assert reader.look().state is State.RUNNING


def test_a_run_without_any_mark_is_judged_by_its_steps(folder):
    folder.metrics.write_text(line(300))
    assert RunReader(folder.path).look().state is State.STOPPED
    folder.metrics.write_text(line(600))
    assert RunReader(folder.path).look().state is State.FINISHED


def test_a_start_that_was_refused_says_why(tmp_path):
    folder = RunFolder(tmp_path)
    gone = mark_of(os.getpid()).model_copy(update={"process_started": 1.0})
    folder.request.write_text(Request(**gone.model_dump(), command=("python",)).model_dump_json())
    refused = Status(kind="refused", message="There is no folder /nowhere", remedy=Remedy.GIVE_DATA)
    folder.status.write_text(refused.model_dump_json())
    glance = RunReader(tmp_path).look(exit_code=2)
    assert (glance.state, glance.began, glance.status) == (State.FAILED, False, refused)
    folder.request.write_text(Request(**mark_of(os.getpid()).model_dump(), command=()).model_dump_json())
    working = Status(kind="working", message="Preparing a", done=1, total=3)
    folder.status.write_text(working.model_dump_json())
    glance = RunReader(tmp_path).look()
    assert (glance.state, glance.status) == (State.PREPARING, working)


def test_a_resume_that_was_refused_is_not_taken_for_the_end_before(folder):
    folder.ended.write_text(Ended(step=20, steps=600, time=time.time() - 60).model_dump_json())
    gone = mark_of(os.getpid()).model_copy(update={"process_started": 1.0})
    folder.request.write_text(Request(**gone.model_dump(), command=()).model_dump_json())
    folder.output.write_text("The train patients are no longer those.\n")
    glance = RunReader(folder.path).look(exit_code=2)
    assert (glance.state, glance.began, glance.status) == (State.FAILED, False, None)
    assert glance.log == ("The train patients are no longer those.",)


def test_a_resume_that_was_refused_after_a_kill_says_why(folder):
    gone = mark_of(os.getpid()).model_copy(update={"process_started": 1.0})
    folder.running.write_text(gone.model_dump_json())
    folder.request.write_text(Request(**gone.model_dump(), command=()).model_dump_json())
    folder.status.write_text(Status(kind="refused", message="Other patients.").model_dump_json())
    glance = RunReader(folder.path).look(exit_code=2)
    assert (glance.state, glance.began, glance.status.message) == (State.FAILED, False, "Other patients.")


def test_a_folder_that_is_gone_is_said_and_may_come_back(folder, tmp_path):
    reader = RunReader(folder.path)
    reader.look()
    folder.path.rename(tmp_path / "moved")
    assert reader.look().state is State.GONE
    (tmp_path / "moved").rename(folder.path)
    assert reader.look().state is State.STOPPED


def test_damaged_files_are_no_end_of_watching(folder):
    for path in (folder.config, folder.running, folder.ended, folder.request):
        path.write_text("{")
    folder.metrics.write_text("[1]\nnothing\n" + line(5))
    folder.log.write_bytes(b"\xff\xfe line\n")
    glance = RunReader(folder.path).look()
    assert glance.step == 5
    assert len(glance.log) == 1


def test_the_log_is_a_tail(folder):
    folder.log.write_text("".join(f"line {number}\n" for number in range(5000)))
    reader = RunReader(folder.path)
    assert reader.look().log[-1] == "line 4999"
    assert len(reader.look().log) <= 60
    with folder.log.open("a") as file:
        file.write("one more\nhalf")
    assert reader.look().log[-1] == "one more"


ODD = [
    b"",
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b"9" * 5_000,
    b"[]",
    b"null",
    b'{"optimizer": 3}',
    b'{"loss": []}',
]
ODD += [b'{"optimizer": {"max_steps": "x", "batch": 0}}', b'{"validation": {"every": 0}}']


@pytest.mark.parametrize("name", ["config", "running", "ended", "request", "status"])
@pytest.mark.parametrize("content", ODD, ids=lambda content: repr(content[:20]))
def test_no_file_of_a_run_is_trusted(folder, name, content):
    folder.metrics.write_text(line(5) + validation(8, 0.5))
    getattr(folder, name).write_bytes(content)
    assert RunReader(folder.path).look().step == 5


@pytest.mark.parametrize(
    "odd",
    [
        "\x00\xff",
        "[" * 100_000,
        '{"step": ' + "9" * 5_000 + "}",
        '{"step": 9}',
        '{"step": -1, "loss": 1}',
        '{"step": true, "loss": 1}',
        '{"step": 9, "loss": "x"}',
        '{"step": 9, "loss": 1, "samples_per_s": "fast"}',
        '{"step": 9, "loss": 1, "epoch": [1]}',
        '{"step": 9, "validation": {}, "mean_dice": 1}',
        '{"step": 9, "validation": [], "mean_dice": 1}',
        '{"step": 9, "validation": {"Full": 3}, "mean_dice": 1}',
        '{"step": 9, "validation": {"Full": {"WT": 1}}}',
    ],
    ids=lambda odd: odd[:40],
)
def test_a_line_that_is_none_is_passed_by(folder, odd):
    folder.metrics.write_text(line(5) + odd + "\n" + line(6))
    reader = RunReader(folder.path)
    while reader.look().more:
        pass
    assert reader.curves.steps == [5, 6]
    assert reader.curves.dice == {}


@pytest.mark.parametrize("steps", [-(2**70), -1, 2**60, "NaN"])
@pytest.mark.parametrize("name", ["step", "steps", "best"])
def test_an_end_with_numbers_that_are_none_is_not_believed(folder, name, steps):
    folder.metrics.write_text(line(5))
    folder.ended.write_text(f'{{"finished": true, "step": 4, "steps": 4, "{name}": {steps}}}')
    believed = name == "best" and steps == -1
    assert RunReader(folder.path).look().step == (4 if believed else 5)


def test_time_left_that_no_run_has_is_not_told(folder):
    run_on(folder)
    folder.metrics.write_text(line(5, samples_per_s=3.0))
    assert RunReader(folder.path).look().seconds_left > 0
    folder.metrics.write_text(line(5, samples_per_s=1e-300))
    assert RunReader(folder.path).look().seconds_left is None


@pytest.mark.parametrize("pid", [-5, 0, 10**30])
def test_a_mark_of_no_process_is_nobodys(folder, pid):
    mark = mark_of(os.getpid()).model_dump() | {"pid": pid}
    folder.running.write_text(json.dumps(mark))
    assert not RunReader(folder.path).look().state.alive
