"""What a watcher makes of a run folder's files, written here as a run would leave them."""

from __future__ import annotations

import json
import os
import time

import pytest

from napari_rdl.plugin.parts.times import duration
from napari_rdl.plugin.train.curve_picture import MOST_POINTS, CurveDrawer, CurvePicture, thinned
from napari_rdl.plugin.train.dry_check import report_in_words
from napari_rdl.plugin.train.run_view import figures_in_words
from napari_rdl.training.recipe import load_recipe
from napari_rdl.training.run.folder import RunFolder
from napari_rdl.training.run.process import Request, RunPlan
from napari_rdl.training.run.reader import PIECE, RunReader, State
from napari_rdl.training.run.running import Ended, mark_of


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
    assert figures_in_words(glance) == "Step 10 of 600 · about 6 min left · 300 MB · best Dice 0.400"


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
    assert "elsewhere" in glance.sentence


@pytest.mark.parametrize(
    ("ended", "state", "words"),
    [
        (Ended(finished=True, step=600, steps=600, best=0.5), State.FINISHED, ""),
        (Ended(step=20, steps=600), State.STOPPED, "Resume"),
        (Ended(step=20, steps=600, problem="The loss is no number."), State.FAILED, "no number"),
    ],
)
def test_states_of_a_run_that_could_speak_at_its_end(folder, ended, state, words):
    folder.ended.write_text(ended.model_dump_json())
    folder.metrics.write_text(line(15))
    glance = RunReader(folder.path).look()
    assert (glance.state, glance.step) == (state, ended.step)
    assert words in glance.sentence


def test_a_process_that_died_says_its_code_where_it_is_known(folder):
    run_on(folder, process_started=1.0)
    reader = RunReader(folder.path)
    assert reader.look().state is State.FAILED
    assert "died. Resume" in reader.look().sentence
    assert "signal 9" in reader.look(exit_code=-9).sentence
    assert "memory" in reader.look(exit_code=-9).sentence


def test_a_run_without_any_mark_is_judged_by_its_steps(folder):
    folder.metrics.write_text(line(300))
    assert RunReader(folder.path).look().state is State.STOPPED
    folder.metrics.write_text(line(600))
    assert RunReader(folder.path).look().state is State.FINISHED


def test_a_start_that_was_refused_says_why(tmp_path):
    folder = RunFolder(tmp_path)
    gone = mark_of(os.getpid()).model_copy(update={"process_started": 1.0})
    folder.request.write_text(Request(**gone.model_dump(), command=("python",)).model_dump_json())
    folder.output.write_text("12:00:00 0/3 Preparing a\nThere is no folder /nowhere: give --data.\n")
    glance = RunReader(tmp_path).look(exit_code=2)
    assert glance.state is State.FAILED
    assert (
        glance.sentence
        == "The training did not begin (exit code 2): There is no folder /nowhere: give --data."
    )
    folder.request.write_text(Request(**mark_of(os.getpid()).model_dump(), command=()).model_dump_json())
    assert RunReader(tmp_path).look().state is State.PREPARING


def test_a_resume_that_was_refused_is_not_taken_for_the_end_before(folder):
    folder.ended.write_text(Ended(step=20, steps=600, time=time.time() - 60).model_dump_json())
    gone = mark_of(os.getpid()).model_copy(update={"process_started": 1.0})
    folder.request.write_text(Request(**gone.model_dump(), command=()).model_dump_json())
    folder.output.write_text("The train patients are no longer those.\n")
    glance = RunReader(folder.path).look(exit_code=2)
    assert glance.state is State.FAILED
    assert "no longer those" in glance.sentence


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


def test_changes_are_written_as_the_shell_reads_them():
    changes = {
        "data.source": '/a folder/with "quotes" and ü',
        "data.crop": (8, 8, 8),
        "optimizer.lr": 1e-5,
        "optimizer.max_steps": None,
        "hardware.compile": True,
        "name": "5",
    }
    words = RunPlan("laptop", changes).words()
    config = load_recipe(words[1], words[3::2])
    assert config.data.source == changes["data.source"]
    assert config.data.crop == (8, 8, 8)
    assert config.optimizer.lr == 1e-5
    assert config.optimizer.max_steps is None
    assert config.hardware.compile is True
    assert config.name == "5"


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "5 s"), (600, "10 min"), (7200, "2.0 h"), (200_000, "2.3 days")]
)
def test_spans_of_time(seconds, words):
    assert duration(seconds) == words


def test_what_a_check_found():
    report = {
        "train": 3,
        "validation": 0,
        "left_out": {"A": "no mask.", "B": "not named in the split file"},
        "steps": 100,
        "seconds_per_step": 3.0,
        "memory_mb": 512.3,
    }
    note, nobody, refused = report_in_words(report, refuses=True)
    assert note == (
        "note",
        "Found 3 training and 0 validation patients. 100 steps of 3 s take about 5 min beside validation. "
        "Memory: 512 MB.",
    )
    assert "Nobody validates" in nobody[1]
    assert refused[1].startswith("1 cannot be used. A run refuses")
    assert refused[1].endswith("A: no mask.")
    assert "left out" in report_in_words(report, refuses=False)[2][1]


def test_curves_are_drawn_in_the_themes_colours_and_thinned():
    steps = list(range(1, 2001))
    points = thinned(steps, [1 / step for step in steps])
    assert len(points[0]) == MOST_POINTS
    assert points[1][0] == pytest.approx(sum(1 / step for step in steps[:5]) / 5)
    picture = CurvePicture({"total": points}, {}, 300, 270, 2.0, "#ffffff", "#000000", "#888888")
    assert picture.counts() == {"loss total": MOST_POINTS}
    drawer = CurveDrawer()
    pixels = drawer.draw(picture)
    assert pixels.shape == (540, 600, 4)
    assert tuple(pixels[0, 0]) == (255, 255, 255, 255)
    blue = (abs(pixels[:270, :, :3].astype(int) - [0x4C, 0x9B, 0xE8]).sum(-1) < 12).sum()
    assert blue > 300
    dark = drawer.draw(
        CurvePicture({"a": points}, {"a": points}, 310, 270, 1.0, "#000000", "#ffffff", "#888888")
    )
    assert dark.shape == (270, 310, 4)
    assert tuple(dark[0, 0]) == (0, 0, 0, 255)
