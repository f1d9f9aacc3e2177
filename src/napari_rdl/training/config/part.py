"""What the parts of a configuration share: how strict they are, and how they say that settings do not fit."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class Part(BaseModel):
    """One part of a run's settings; it takes no name that it does not know, and no number that is none."""

    # TOML knows inf and nan, and neither is a setting: an alpha of inf would end in a loss that is no number.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def unfit(setting: str, sentence: str) -> PydanticCustomError:
    """Return the error of settings that do not fit together; `setting` is the one to look at first."""
    return PydanticCustomError("unfit", "{sentence}", {"setting": setting, "sentence": sentence})
