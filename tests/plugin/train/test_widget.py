"""The dock widget Train model as one: its tabs, its memory, its offer, closing napari beside a run."""

from __future__ import annotations

import os
from itertools import pairwise

import npe2
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractSpinBox, QMessageBox

from napari_rdl.holder import mark_of
from napari_rdl.plugin.train import widget as train_widget
from napari_rdl.training.run.folder import RunFolder
from tests.plugin.train.conftest import STARTS_MS, set_up


def test_what_was_set_up_is_remembered(make_widget, changes, tmp_path):
    first = make_widget()
    set_up(first, changes)
    first.shut_down()
    second = make_widget()
    assert second.setup.data.source == changes["data.source"]
    found = second.setup.recipe.form.values()
    # The architecture is the recipe's again: it belongs to what a run begins with.
    kept = {key for key in changes if not key.startswith("network.") and key != "data.source"}
    assert {key: found[key] for key in kept} == {key: changes[key] for key in kept}


def test_what_is_remembered_but_no_longer_fits_is_no_hindrance(make_widget, tmp_path):
    from napari_rdl.plugin.train.memory import TrainMemory

    TrainMemory().remember(
        recipe=str(tmp_path / "gone.toml"),
        recipe_files=(str(tmp_path / "gone.toml"),),
        changes={"loss.kind": "none of these", "optimizer.batch": "many", "no.such": 1, "optimizer.lr": 0.5},
        shown=tmp_path / "gone",
    )
    widget = make_widget()
    assert widget.setup.plan.recipe == "laptop"
    assert widget.setup.recipe.form.changes() == {"optimizer.lr": 0.5}


def test_the_tab_key_goes_from_top_to_bottom(widget, changes, qtbot):
    window, page = widget.viewer.window._qt_window, widget.setup
    set_up(widget, changes)
    page.recipe.advanced.expand(animate=False)
    for section in page.recipe.form.sections.values():
        section.expand(animate=False)
    window.show()
    qtbot.waitExposed(window)

    def walk():
        walked, current = [], page.try_button
        while True:
            in_a_spin_box = isinstance(current.parent(), QAbstractSpinBox)
            if (
                current.focusPolicy() & Qt.FocusPolicy.TabFocus
                and current.isVisibleTo(page)
                and not in_a_spin_box
            ):
                walked.append(current.mapTo(page, current.rect().center()))
            current = current.nextInFocusChain()
            if current is page.try_button or not page.isAncestorOf(current):
                return walked

    def goes_down():
        # Sections in sections are laid out some turns after they were opened.
        walked = walk()
        assert len(walked) > 60
        for before, after in pairwise(walked):
            assert after.y() > before.y() + 8 or (after.x() > before.x() and after.y() > before.y() - 8)

    qtbot.waitUntil(goes_down)
    window.hide()


@pytest.mark.parametrize(
    ("pressed", "closes", "stops"), [(0, True, False), (1, True, True), (2, False, False)]
)
def test_closing_napari_beside_a_run_asks(widget, runs, monkeypatch, qtbot, pressed, closes, stops):
    run = RunFolder(runs / "run")
    run.path.mkdir()
    run.config.write_text("{}")
    run.running.write_text(mark_of(os.getpid()).model_dump_json())
    widget.show_run(run.path)
    qtbot.waitUntil(lambda: widget.runs.run_list.alive() == (run.path,), timeout=STARTS_MS)
    asked = []

    def answer(box):
        asked.append(box.text())
        assert box.defaultButton().text() == "Let it run"
        order = ["Let it run", "Stop with a checkpoint"]
        buttons = sorted(box.buttons(), key=lambda button: [*order, button.text()].index(button.text()))
        buttons[pressed].click()

    monkeypatch.setattr(QMessageBox, "exec", answer)
    assert widget.may_close() is closes
    assert "The training run goes on" in asked[0]
    assert not run.stop.exists(), "others may still keep the window open"
    if closes:
        widget.window_closed()
    assert run.stop.exists() is stops


def test_nothing_is_asked_without_a_run(widget, monkeypatch):
    monkeypatch.setattr(train_widget, "ask_about_runs", lambda *_: pytest.fail("asked"))
    assert widget.may_close()


def test_the_manifest_offers_the_widget():
    manifest = npe2.PluginManifest.from_distribution("napari-rdl")
    assert "Train model" in [widget.display_name for widget in manifest.contributions.widgets]
    assert "napari-rdl.train" in [
        item.command for item in manifest.contributions.menus["napari/layers/segment"]
    ]


def test_nothing_is_cut_off_in_a_narrow_dock(widget, changes):
    widget.viewer.window._qt_window.show()
    set_up(widget, changes)
    widget.setup.recipe.advanced.expand(animate=False)
    for section in widget.setup.recipe.form.sections.values():
        section.expand(animate=False)
    assert widget.minimumSizeHint().width() <= 310
    widget.viewer.window._qt_window.hide()
