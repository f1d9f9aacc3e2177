"""What the parts of a configuration share: how strict they are, and how they say that settings do not fit."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from napari_rdl.files import fault_of_path

_Places = TypeVar("_Places", str, tuple[str, ...], None)


class Part(BaseModel):
    """One part of a run's settings; it takes no name that it does not know, and no number that is none."""

    # TOML knows inf and nan, and neither is a setting: an alpha of inf would end in a loss that is no number.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def unfit(setting: str, sentence: str) -> PydanticCustomError:
    """Return the error of settings that do not fit together; `setting` is the one to look at first."""
    return PydanticCustomError("unfit", "{sentence}", {"setting": setting, "sentence": sentence})


def must_be_places(value: _Places) -> _Places:
    """Return what names files or folders, or lists of them, if a file system and a record can name them so.

    Raises
    ------
    PydanticCustomError
        If one is too long, or holds what is no text.
    """
    texts: tuple[str, ...] = (value,) if isinstance(value, str) else value or ()
    for text in texts:
        if fault := fault_of_path(text):
            raise PydanticCustomError("no_place", "{sentence}", {"sentence": fault})
    return value
