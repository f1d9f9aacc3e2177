"""A form made from a pydantic model: every field with its title, its tooltip and its problem.

Nested models become sections that open and close. The form knows the values it began with, marks
what differs from them, and reads back the differences.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_rdl.plugin.parts.config_field import CHANGED_MARK, FieldRow
from napari_rdl.plugin.parts.section import SPACING, Collapsible, WrappedLabel, plain_collapsible


class ConfigForm(QWidget):
    """Rows for every field of a model, nested models in sections.

    Rows are made on their own and may be laid out elsewhere (`take`); what is not taken is laid out here by
    `lay_out`.

    Signals
    -------
    edited : no value
        A value is another one; after `set_base` and `set_values` once for all.

    Parameters
    ----------
    model : type of BaseModel
    leave_out : iterable of str
        Dotted keys that have no row.
    titles : mapping, optional
        Dotted key -> what a field's choices are called.
    """

    edited = Signal()

    def __init__(
        self,
        model: type[BaseModel],
        leave_out: Iterable[str] = (),
        titles: Mapping[str, Mapping[str, str]] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._model = model
        self._quiet = False
        self._taken: set[str] = set()
        self.rows: dict[str, FieldRow] = {}
        self.sections: dict[str, Collapsible] = {}
        self._section_problems: dict[str, WrappedLabel] = {}
        left_out = set(leave_out)
        for key, field in leaf_fields(model):
            if key not in left_out:
                row = FieldRow(key, field, (titles or {}).get(key))
                row.edited.connect(self._on_edited)
                self.rows[key] = row
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(SPACING)

    def take(self, key: str) -> FieldRow:
        """Return a row, to be laid out by the caller."""
        self._taken.add(key)
        return self.rows[key]

    def lay_out(self) -> None:
        """Lay out what was not taken."""
        for key in self._own_keys(""):
            self._column.addWidget(self.rows[key])
        for name, field in self._model.model_fields.items():
            if not _is_model(field):
                continue
            body = QWidget()
            column = QVBoxLayout(body)
            column.setContentsMargins(8, 0, 0, 0)
            column.setSpacing(SPACING)
            problem = WrappedLabel()
            problem.setObjectName("problem")
            column.addWidget(problem)
            for key in self._own_keys(name):
                column.addWidget(self.rows[key])
            section = plain_collapsible(field.title or name, body, field.description or "")
            self.sections[name] = section
            self._section_problems[name] = problem
            self._column.addWidget(section)

    def set_base(self, values: Mapping[str, Any]) -> None:
        """Begin with these nested values; nothing is changed then."""
        with _Quiet(self):
            for key, value in flat(values):
                if key in self.rows:
                    self.rows[key].set_base(value)

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Give these settings, by dotted key, other values."""
        with _Quiet(self):
            for key, value in values.items():
                self.rows[key].value = value

    def reset(self, prefix: str = "") -> None:
        """Go back to the values that the form began with, of all settings that begin with `prefix`."""
        with _Quiet(self):
            for key, row in self.rows.items():
                if key.startswith(prefix):
                    row.reset()

    def values(self) -> dict[str, Any]:
        """Return all values, by dotted key."""
        return {key: row.value for key, row in self.rows.items()}

    def changes(self) -> dict[str, Any]:
        """Return the values that are not those that the form began with, by dotted key."""
        return {key: row.value for key, row in self.rows.items() if row.changed}

    def show_problems(self, problems: Mapping[str, str]) -> list[str]:
        """Say problems beside their fields; return those that have no place here."""
        for key, row in self.rows.items():
            row.show_problem(problems.get(key, ""))
        for name, label in self._section_problems.items():
            label.setText(problems.get(name, ""))
        for name, section in self.sections.items():
            if any(
                key == name or (key.startswith(f"{name}.") and key not in self._taken) for key in problems
            ):
                section.expand(animate=False)
        placed = self.rows.keys() | self._section_problems.keys()
        return [sentence for key, sentence in problems.items() if key not in placed]

    def _own_keys(self, section: str) -> list[str]:
        return [
            key
            for key in self.rows
            if key not in self._taken and key.rpartition(".")[0].split(".")[0] == section
        ]

    def _on_edited(self) -> None:
        if not self._quiet:
            self._show_counts()
            self.edited.emit()

    def _show_counts(self) -> None:
        changed = self.changes()
        for name, section in self.sections.items():
            count = sum(key.startswith(f"{name}.") and key not in self._taken for key in changed)
            title = self._model.model_fields[name].title or name
            section.setText(f"{title}{CHANGED_MARK if count else ''}")


class _Quiet:
    """Says once at the end that values were edited."""

    def __init__(self, form: ConfigForm) -> None:
        self._form = form

    def __enter__(self) -> None:
        self._form._quiet = True

    def __exit__(self, *_error: object) -> None:
        self._form._quiet = False
        self._form._on_edited()


def leaf_fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield the dotted key and the field of every setting, those of nested models included."""
    for name, field in model.model_fields.items():
        if _is_model(field):
            assert isinstance(field.annotation, type)
            yield from leaf_fields(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of every setting."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by dotted key as nested dictionaries."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        *parts, last = key.split(".")
        place = result
        for part in parts:
            place = place.setdefault(part, {})
        place[last] = value
    return result


def _is_model(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
