"""Recipes found by name or file, and single settings changed by their dotted key."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from napari_rdl.errors import ConfigError
from napari_rdl.files import is_file, read_bytes
from napari_rdl.training.config import TrainingConfig

_MAX_GIVEN = 200
_TABLE = "table2"
"""Folder of the recipes of the methods that Tables II and III compare."""
_INSTEAD = (("data.source", "data.sources"), ("data.validation", "data.validation_sources"))
"""Settings that stand in each other's place."""


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that come with the package."""
    folder = files("napari_rdl.training") / "recipes"
    names = [item.name for item in folder.iterdir()]
    names += [f"{_TABLE}/{item.name}" for item in (folder / _TABLE).iterdir()]
    return tuple(sorted(name[:-5] for name in names if name.endswith(".toml")))


def load_recipe(
    recipe: str | Path | None = None,
    changes: Iterable[str] = (),
    **settings: Any,
) -> TrainingConfig:
    """Read a recipe and change single settings.

    Parameters
    ----------
    recipe : str or Path, optional
        Name of a recipe of the package, or a TOML file. Without one, the defaults: the paper's.
    changes : iterable of str
        ``key=value`` pairs such as ``optimizer.lr=1e-3``; the value is written as in TOML, and what
        is no TOML value is taken as text.
    **settings
        Further settings by dotted key, with underscores doubled for dots: ``data__source="phantom:8"``.
        Data that are named stand in the place of the recipe's, be those one source or several.

    Raises
    ------
    ConfigError
        If the recipe is missing or unreadable, or if a key or value does not fit.
    """
    values, where = _read(recipe)
    changed: dict[str, Any] = {}
    for change in changes:
        key, sign, text = change.partition("=")
        if not sign:
            raise ConfigError(f"{change!r} has no '=': write it as optimizer.lr=1e-3.")
        changed[key.strip()] = _parse(text.strip())
    changed |= {key.replace("__", "."): value for key, value in settings.items() if value is not None}
    for one, other in (*_INSTEAD, *((other, one) for one, other in _INSTEAD)):
        part = values.get("data")
        if changed.get(one) and other not in changed and isinstance(part, dict):
            part.pop(other.partition(".")[2], None)
    for key, value in changed.items():
        _put(values, key, value)
    return validate_config(values, where)


def validate_config(values: Mapping[str, Any], where: str) -> TrainingConfig:
    """Turn nested `values` into a configuration; `where` names their origin in messages.

    Raises
    ------
    ConfigError
        With the key, and for an unknown one the nearest that exists.
    """
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"{where}: there is no setting {key!r}{nearest(key)}") from None
        message = first["msg"].removeprefix("Value error, ").rstrip(".")
        given = "" if isinstance(first["input"], dict) else f" (given: {_short(first['input'])})"
        raise ConfigError(f"{where}: {key + ': ' if key else ''}{message}{given}.") from None


def _short(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:
        return "a number of too many digits"
    return text if len(text) <= _MAX_GIVEN else f"{text[:_MAX_GIVEN]}…"


def config_problems(values: Mapping[str, Any]) -> dict[str, str]:
    """Return every problem of nested `values`, for a form to say beside its fields.

    Returns
    -------
    dict
        Dotted key -> sentence. The key is that of a setting, of a part (``data``) where several of its
        settings do not fit together, or empty.
    """
    try:
        TrainingConfig.model_validate(values)
    except ValidationError as error:
        problems: dict[str, str] = {}
        for found in error.errors():
            message = found["msg"].removeprefix("Value error, ").rstrip(".")
            problems.setdefault(_setting_of(found), f"{message[:1].upper()}{message[1:]}.")
        return problems
    return {}


def _setting_of(error: ErrorDetails) -> str:
    """Return the dotted key of what an error is about: a setting, or a part where several do not fit."""
    place = [str(part) for part in error["loc"]]
    context = error.get("ctx", {})
    if "setting" in context:
        place.append(context["setting"])
    key = ".".join(place)
    # A place within a tuple belongs to its setting.
    return next((name for name in setting_keys() if f"{key}.".startswith(f"{name}.")), key)


def setting_keys(model: type[BaseModel] = TrainingConfig, prefix: str = "") -> list[str]:
    """Return the dotted keys of every setting."""
    keys = []
    for name, field in model.model_fields.items():
        part = field.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            keys += setting_keys(part, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys


def nearest(key: str) -> str:
    """Return the end of a sentence that offers the valid key nearest to `key`."""
    keys = setting_keys()
    close = difflib.get_close_matches(key, keys, 1, 0.5)
    if not close:
        # A right name under a wrong heading, or a heading left out.
        tails = {name.rsplit(".", 1)[-1]: name for name in keys}
        close = [tails[name] for name in difflib.get_close_matches(key.rsplit(".", 1)[-1], tails, 1, 0.5)]
    return f"; did you mean {close[0]!r}?" if close else "."


def _read(recipe: str | Path | None) -> tuple[dict[str, Any], str]:
    if recipe is None:
        return {}, "The configuration"
    if str(recipe) in recipe_names():
        text = (files("napari_rdl.training") / "recipes" / f"{recipe}.toml").read_text("utf-8")
        return tomllib.loads(text), f"The recipe {str(recipe)!r}"
    path = Path(recipe)
    if not is_file(path):
        raise ConfigError(
            f"There is no recipe {str(recipe)!r}: give a TOML file or one of {', '.join(recipe_names())}."
        )
    try:
        return _toml(read_bytes(path).decode("utf-8")), str(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}.") from None


def _parse(text: str) -> Any:
    if text.lower() in ("none", "null"):
        return None
    try:
        return _toml(f"value = {text}")["value"]
    except ValueError:
        return text


def _toml(text: str) -> dict[str, Any]:
    """Return what TOML says; ValueError if it is none, or no computer can read it."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *parts, last = key.split(".")
    place = values
    for part in parts:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise ConfigError(f"The configuration: there is no setting {key!r}{nearest(key)}")
    place[last] = value
