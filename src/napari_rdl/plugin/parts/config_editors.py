"""One editor for each kind of setting: magicgui's widgets, and how their values are written and read."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
import numpy as np
from magicgui.widgets import CheckBox, ComboBox, LineEdit, SpinBox
from magicgui.widgets.bases import ValueWidget
from pydantic.fields import FieldInfo
from qtpy.QtWidgets import QComboBox, QLineEdit, QSizePolicy, QWidget

from napari_rdl.plugin.parts.inputs import leave_the_wheel_alone

LARGEST = 2**31 - 1
_LONGEST = 8
"""Characters of a number that a narrow field shows whole."""
_ALTERNATIVES = re.compile(r"\^\(([\w|]+)\)\$")


@dataclass(frozen=True)
class Kind:
    """What a field holds, read from its annotation.

    Attributes
    ----------
    annotation : type
        Without ``None``.
    optional : bool
        Whether ``None`` is a value.
    """

    annotation: Any
    optional: bool


@dataclass(frozen=True)
class Editor:
    """A widget and the two ways between its value and the setting's.

    Attributes
    ----------
    widget : ValueWidget
        magicgui's; its ``native`` is the Qt widget.
    to_setting : callable
        Widget's value -> setting. What cannot be read comes back as it is, for the configuration to refuse.
    to_shown : callable
        Setting -> widget's value.
    """

    widget: ValueWidget
    to_setting: Callable[[Any], Any]
    to_shown: Callable[[Any], Any]

    @property
    def native(self) -> QWidget:
        """The Qt widget."""
        return self.widget.native

    @property
    def value(self) -> Any:
        """The setting that is shown."""
        return self.to_setting(self.widget.value)

    def show(self, value: Any) -> None:
        """Show a setting."""
        self.widget.value = self.to_shown(value)
        if isinstance(self.native, QLineEdit):
            # What is too long is cut at its end.
            self.native.setCursorPosition(0)


def kind_of(field: FieldInfo) -> Kind:
    """Return what a field holds."""
    annotation = field.annotation
    if get_origin(annotation) in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        if len(members) == 1 and len(members) < len(get_args(annotation)):
            return Kind(members[0], True)
    return Kind(annotation, False)


def make_editor(field: FieldInfo, titles: Mapping[str, str] | None = None) -> Editor:
    """Return the editor of a field that is no model of its own; `titles` names its choices."""
    annotation = kind_of(field).annotation
    choices = _choices(field, annotation)
    if choices:
        named = [((titles or {}).get(choice, str(choice)), choice) for choice in choices]
        editor = Editor(ComboBox(choices=named), _same, _same)
        box = editor.native
        assert isinstance(box, QComboBox)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    elif annotation is bool:
        editor = Editor(CheckBox(text=""), _same, bool)
    elif annotation is int:
        low, high = bounds(field)
        editor = Editor(SpinBox(min=low or 0, max=LARGEST if high is None else high), _same, int)
    elif annotation is float:
        numbers = _Numbers()
        editor = Editor(LineEdit(), numbers.read, numbers.write)
    elif get_origin(annotation) is tuple:
        editor = Editor(LineEdit(), _reader_of_tuples(annotation), _write_tuple)
    else:
        editor = Editor(LineEdit(), _same, str)
    editor.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    editor.native.setMinimumWidth(40)
    leave_the_wheel_alone(editor.native)
    return editor


def bounds(field: FieldInfo) -> tuple[int | None, int | None]:
    """Return the least and the largest whole number that the field's metadata allow."""
    low: int | None = None
    high: int | None = None
    for limit in field.metadata:
        # Whatever can be compared may be a limit; those of whole numbers are whole.
        match limit:
            case annotated_types.Ge(ge=int(least)):
                low = least
            case annotated_types.Gt(gt=int(below)):
                low = below + 1
            case annotated_types.Le(le=int(most)):
                high = most
            case annotated_types.Lt(lt=int(above)):
                high = above - 1
    return low, high


def limits_in_words(field: FieldInfo) -> str:
    """Return the limits of a number as a user reads them, or nothing."""
    signs = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    said = [
        f"{words} {write_number(getattr(limit, name))}"
        for limit in field.metadata
        for name, words in signs.items()
        if getattr(limit, name, None) is not None
    ]
    return f"{' and '.join(said).capitalize()}." if said else ""


def write_number(value: float) -> str:
    """Return a number as short as it can be read back from: 8e-4 and not 0.0008."""
    if value and abs(value) < 1e-2:
        return np.format_float_scientific(value, trim="-", exp_digits=1)
    return repr(float(value)).removesuffix(".0")


def _same(value: Any) -> Any:
    return value


def _choices(field: FieldInfo, annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    for limit in field.metadata:
        match = _ALTERNATIVES.fullmatch(str(getattr(limit, "pattern", "")))
        if match:
            return tuple(match[1].split("|"))
    return ()


class _Numbers:
    """Show long numbers in four digits; what was shown and not edited is still the whole number."""

    def __init__(self) -> None:
        self._whole: dict[str, float] = {}

    def write(self, value: float) -> str:
        text = write_number(value)
        if len(text) > _LONGEST:
            text = write_number(float(f"{value:.4g}"))
            self._whole[text] = value
        else:
            self._whole.pop(text, None)
        return text

    def read(self, text: str) -> Any:
        try:
            return self._whole.get(text, float(text))
        except ValueError:
            return text


def _write_tuple(values: tuple[Any, ...]) -> str:
    return ", ".join(value if isinstance(value, str) else write_number(value) for value in values)


def _reader_of_tuples(annotation: Any) -> Callable[[str], Any]:
    member = get_args(annotation)[0]

    def read(text: str) -> Any:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if member is str:
            return tuple(parts)
        try:
            return tuple(member(part) for part in parts)
        except ValueError:
            return tuple(parts)

    return read
