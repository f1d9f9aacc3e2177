"""Runs that are there: opened, compared, and their checkpoints used."""

from __future__ import annotations

from qtpy.QtWidgets import QFileDialog

from napari_rdl.plugin.train.widget import SETUP
from tests.plugin.train.conftest import STARTS_MS, finished_run


def test_a_folder_that_is_no_run_is_not_opened(widget, tmp_path):
    widget.runs.run_list.run_opened.emit(tmp_path)
    assert "is no run folder" in widget.messages.messages[0][1]
    assert widget.shown is None


def test_curves_of_several_runs_are_compared(widget, runs, changes, tiny_checkpoint, qtbot):
    for name in ("a", "b", "c"):
        finished_run(runs / name, tiny_checkpoint, changes)
    widget.show_run(runs / "a")
    qtbot.waitUntil(lambda: widget.runs.run_list.tree.topLevelItemCount() == 3, timeout=STARTS_MS)
    qtbot.waitUntil(lambda: "loss total" in widget.runs.run_view.curves.drawn, timeout=STARTS_MS)
    assert set(widget.runs.run_view.curves.drawn) == {
        "loss total", "loss Dice", "loss divergence", "Dice mean", "Dice WT", "Dice TC", "Dice ET",
    }  # fmt: skip
    row = {widget.runs.run_list.tree.topLevelItem(number).text(0): number for number in range(3)}
    item = widget.runs.run_list.tree.topLevelItem(row["b"])
    assert (item.text(1), item.text(2)) == ("finished", "0.25")
    item.setCheckState(0, item.checkState(0).__class__.Checked)
    qtbot.waitUntil(lambda: "loss b" in widget.runs.run_view.curves.drawn, timeout=STARTS_MS)
    assert set(widget.runs.run_view.curves.drawn) == {"loss a", "loss b", "Dice a", "Dice b"}
    assert widget.runs.run_view.curves.drawn["loss b"] == 4


def test_a_checkpoint_is_saved_and_fine_tuned(
    widget, runs, changes, tiny_checkpoint, qtbot, monkeypatch, tmp_path
):
    folder = finished_run(runs / "a", tiny_checkpoint, changes)
    widget.show_run(folder)
    qtbot.waitUntil(lambda: widget.runs.use_box.checkpoint is not None, timeout=STARTS_MS)
    assert widget.runs.use_box.checkpoint == folder / "best.safetensors"
    assert "Trained on: nothing." in widget.runs.use_box.card_label.text()
    target = tmp_path / "shared" / "mine"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    widget.runs.use_box.copy_button.click()
    qtbot.waitUntil(lambda: not widget.runs.tasks.busy, timeout=STARTS_MS)
    assert (tmp_path / "shared" / "mine.safetensors").read_bytes() == tiny_checkpoint.read_bytes()
    assert "mine.safetensors" in widget.messages.messages[0][1]
    widget.runs.use_box.tune_button.click()
    assert widget.tabs.currentIndex() == SETUP
    assert widget.setup.recipe.start_from == str(folder / "best.safetensors")
