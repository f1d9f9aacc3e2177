"""What a widget remembers from one start of napari to the next: a typed model, kept as JSON."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Generic, TypeVar

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from napari_rdl.errors import OutputError
from napari_rdl.files import write_bytes

logger = logging.getLogger(__name__)


class Remembered(BaseModel):
    """A user's last choices in a widget; every field has a default.

    Keys that no field has, of another version, are passed over: dropping a setting costs nobody the others.
    """

    model_config = ConfigDict(extra="ignore", validate_assignment=True)


Kind = TypeVar("Kind", bound=Remembered)


class Memory(Generic[Kind]):
    """Reads a widget's choices once, and writes them whenever one changes.

    Parameters
    ----------
    kind : type
        The model.
    path : Path
        Its file; see `memory_file`.
    """

    def __init__(self, kind: type[Kind], path: Path) -> None:
        self._path = path
        self.choices: Kind = load_remembered(path, kind)

    def remember(self, **choices: object) -> None:
        """Keep these fields for the next start."""
        for name, value in choices.items():
            setattr(self.choices, name, value)
        save_remembered(self.choices, self._path)


def memory_file(name: str) -> Path:
    """Return the file in the user's configuration folder that a widget's choices are kept in."""
    return platformdirs.user_config_path("napari-rdl") / f"{name}.json"


def load_remembered(path: Path, kind: type[Kind]) -> Kind:
    """Read choices; a missing or damaged file gives the defaults, a field that no longer fits its own."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return kind()
    except OSError as error:
        logger.warning("The remembered choices in %s cannot be read (%s): starting afresh.", path, error)
        return kind()
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        unfit = {place["loc"][0] for place in error.errors() if place["loc"]}
        logger.warning("Some remembered choices in %s no longer fit (%s).", path, error)
    return _without(content, unfit, kind)


def save_remembered(remembered: Remembered, path: Path) -> None:
    """Write choices whole; a folder that cannot be written costs the memory, not the work."""
    content = remembered.model_dump_json(indent=2).encode()
    try:
        write_bytes(path, content)
    except OutputError as error:
        logger.warning("The choices cannot be remembered in %s (%s).", path, error)


def _without(content: bytes, unfit: set[Any], kind: type[Kind]) -> Kind:
    """Return what is left of choices without some fields; the defaults where it is no object at all."""
    try:
        values = json.loads(content)
        return kind.model_validate_json(
            json.dumps({name: value for name, value in values.items() if name not in unfit})
        )
    except (ValueError, AttributeError):
        return kind()
