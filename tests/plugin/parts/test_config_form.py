"""The adapter from pydantic models to forms, on a model that has one of everything, and on the real one."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import BaseModel, Field
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QAbstractSpinBox, QApplication, QComboBox

from napari_rdl.plugin.parts.config_editors import write_number
from napari_rdl.plugin.parts.config_form import ConfigForm, flat, leaf_fields, nested
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.recipe import config_problems, load_recipe, recipe_names, setting_keys


class Inner(BaseModel):
    """A nested part."""

    kind: Literal["one", "two"] = Field("one", title="Kind", description="Which.")
    size: tuple[int, int, int] = Field((1, 2, 3), title="Size", description="In mm.")
    names: tuple[str, ...] = Field(("a",), title="Names")


class Outer(BaseModel):
    """One of everything."""

    rate: float = Field(8e-4, gt=0, lt=1, title="Rate", description="How fast.")
    count: int = Field(3, ge=1, le=9, title="Count")
    on: bool = Field(False, title="On")
    word: str = Field("w", title="Word")
    device: str = Field("cpu", pattern="^(cpu|cuda)$", title="Device")
    limit: float | None = Field(None, gt=0, title="Limit")
    inner: Inner = Field(Inner(), title="Inner part", description="Nested.")


@pytest.fixture
def form(qtbot):
    form = ConfigForm(Outer)
    qtbot.addWidget(form)
    form.lay_out()
    form.set_base(Outer().model_dump())
    return form


def test_titles_tooltips_bounds_and_kinds_come_from_the_model(form):
    rows = form.rows
    assert list(rows) == [
        "rate",
        "count",
        "on",
        "word",
        "device",
        "limit",
        "inner.kind",
        "inner.size",
        "inner.names",
    ]
    assert rows["rate"].label.text() == "Rate"
    assert rows["rate"].editor.native.toolTip() == "How fast. Above 0 and below 1."
    assert rows["rate"].editor.native.text() == "8e-4"
    spin = rows["count"].editor
    assert isinstance(spin.native, QAbstractSpinBox)
    assert (spin.widget.min, spin.widget.max) == (1, 9)
    assert isinstance(rows["inner.kind"].editor.native, QComboBox)
    assert rows["device"].editor.widget.choices == ("cpu", "cuda")
    assert rows["limit"].tick is not None
    assert not rows["limit"].editor.native.isEnabled()
    assert form.sections["inner"].text() == "Inner part"
    assert rows["inner.size"].editor.native.text() == "1, 2, 3"


def test_only_what_was_changed_is_read_back(form, qtbot):
    assert form.changes() == {}
    with qtbot.waitSignal(form.edited):
        form.rows["rate"].editor.native.setText("1e-3")
    form.rows["inner.size"].editor.native.setText("4,5, 6")
    form.rows["inner.names"].editor.native.setText("x, y")
    form.rows["limit"].tick.setChecked(True)
    form.rows["limit"].editor.native.setText("2.5")
    form.rows["on"].editor.native.setChecked(True)
    assert form.changes() == {
        "rate": 1e-3,
        "inner.size": (4, 5, 6),
        "inner.names": ("x", "y"),
        "limit": 2.5,
        "on": True,
    }
    assert Outer.model_validate(nested(form.values())).inner.size == (4, 5, 6)
    assert form.rows["rate"].label.text() == "Rate •"
    assert "The recipe has: 0.0008" in form.rows["rate"].label.toolTip()
    assert form.sections["inner"].text() == "Inner part •"
    form.rows["limit"].tick.setChecked(False)
    assert "limit" not in form.changes()
    form.reset()
    assert form.changes() == {}
    assert form.rows["rate"].label.text() == "Rate"


def test_values_set_by_code_are_said_once(form):
    heard = []
    form.edited.connect(lambda: heard.append(form.values()["count"]))
    form.set_values({"count": 5, "rate": 0.5, "limit": 1.0})
    assert heard == [5]
    assert form.changes() == {"count": 5, "rate": 0.5, "limit": 1.0}
    form.set_values({"limit": None})
    assert not form.rows["limit"].tick.isChecked()


def test_problems_stand_beside_their_fields_and_open_their_section(form):
    left = form.show_problems({"rate": "Too fast.", "inner.size": "Too big.", "": "All is wrong."})
    assert form.rows["rate"].problem.text() == "Too fast."
    assert form.rows["inner.size"].problem.text() == "Too big."
    assert form.sections["inner"].isExpanded()
    assert left == ["All is wrong."]
    form.show_problems({})
    assert form.rows["rate"].problem.text() == ""


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (8e-4, "8e-4"),
        (1e-5, "1e-5"),
        (1.25e-3, "1.25e-3"),
        (0.1, "0.1"),
        (2 / 3, str(2 / 3)),
        (0, "0"),
        (48, "48"),
    ],
)
def test_numbers_are_written_short_and_read_back_the_same(number, text):
    assert write_number(number) == text
    assert float(text) == number


def test_many_digits_are_not_shown_and_not_lost(form):
    row = form.rows["rate"]
    row.set_base(2 / 3)
    assert row.editor.native.text() == "0.6667"
    assert row.value == 2 / 3
    row.set_base(0.6667)
    assert row.value == 0.6667, "what looks alike is not alike"
    row.set_base(2 / 3)
    assert not row.changed
    row.editor.native.setText("0.5")
    assert row.value == 0.5
    assert row.changed


def test_the_wheel_scrolls_and_changes_nothing(form, qtbot):
    spin = form.rows["count"].editor.native
    wheel = QWheelEvent(
        QPointF(5, 5),
        QPointF(5, 5),
        QPoint(0, 0),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(spin, wheel)
    assert spin.value() == 3


# --- the configuration of a training


@pytest.fixture
def training(qtbot):
    form = ConfigForm(TrainingConfig)
    qtbot.addWidget(form)
    form.lay_out()
    return form


@pytest.mark.parametrize("recipe", recipe_names())
def test_every_setting_of_every_recipe_survives_the_form(training, recipe):
    config = load_recipe(recipe)
    training.set_base(config.model_dump())
    assert set(training.rows) == set(setting_keys()) == dict(flat(config.model_dump())).keys()
    assert training.changes() == {}
    assert TrainingConfig.model_validate(nested(training.values())) == config


def test_every_setting_has_a_title_and_a_description():
    for key, field in leaf_fields(TrainingConfig):
        assert field.title, key
        assert field.description, key


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("optimizer.lr", "fast", "valid number"),
        ("optimizer.lr", "-1", "greater than 0"),
        ("data.crop", "50, 48, 48", "divisible by"),
        ("data.crop", "48, 48", "Field required"),
        ("data.spacing", "1, x, 1", "valid number"),
    ],
)
def test_what_does_not_fit_is_said_at_its_setting(training, key, value, words):
    training.set_base(load_recipe("laptop").model_dump())
    training.rows[key].editor.native.setText(value)
    problems = config_problems(nested(training.values()))
    assert list(problems) == [key]
    assert words in problems[key]
    assert training.show_problems(problems) == []
    assert words in training.rows[key].problem.text()


def test_settings_that_do_not_fit_together_are_said_at_the_first(training):
    training.set_base(load_recipe("laptop").model_dump())
    training.set_values({"optimizer.batch": 4, "optimizer.micro_batch": 3})
    assert list(config_problems(nested(training.values()))) == ["optimizer.micro_batch"]
    training.set_values({"optimizer.micro_batch": None, "data.fold": 7})
    assert list(config_problems(nested(training.values()))) == ["data.fold"]
    training.set_values({"data.fold": 0, "loss.dice": 0, "loss.divergence": 0, "loss.region_dice": 0})
    assert training.show_problems(config_problems(nested(training.values()))) != []
