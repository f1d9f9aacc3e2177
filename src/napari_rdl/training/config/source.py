"""One of several places that patients come from, and how it is written in a line."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field, field_validator, model_validator

from napari_rdl.training.config.part import Part, must_be_places, unfit


class SourceConfig(Part):
    """One of several places that patients come from."""

    source: str = Field(
        title="Source",
        description="A folder of patients, a split file (.json), or phantom:N for N synthetic patients.",
    )
    share: float = Field(
        1.0,
        gt=0,
        title="Share",
        description="How many visits go to these patients, in proportion to the other sources' shares.",
    )
    first_seed: int | None = Field(
        None,
        ge=0,
        title="First seed",
        description="Seed of the first synthetic patient; without it, data.phantom_seed.",
    )
    volume_ml: tuple[float, float] | None = Field(
        None,
        title="Tumours",
        description="Smallest and largest whole tumour of synthetic patients in ml; without it, "
        "data.phantom_volume_ml.",
    )
    healthy_halves: float = Field(
        0.0,
        ge=0,
        le=1,
        title="Healthy halves",
        description="Share of the visits that see only the half of the brain that has no tumour, where one "
        "half has none.",
    )
    validates: bool = Field(
        True,
        title="Validates",
        description="Whether a fold of this folder is kept aside for validation where no validation data "
        "are named; off, all of it is trained on.",
    )

    _places = field_validator("source")(must_be_places)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return read_source(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits(self) -> SourceConfig:
        if not self.source:
            raise unfit("source", "a folder, a split file or phantom:N must be named.")
        if self.volume_ml is not None and not 0 < self.volume_ml[0] <= self.volume_ml[1]:
            raise unfit("volume_ml", "volume_ml must be positive, the smaller volume first.")
        return self


def read_source(text: str) -> dict[str, Any]:
    """Return the settings of a source written in a line, such as ``DIR,share=0.35,healthy_halves=0.2``.

    A comma that is not followed by a setting's name belongs to the folder.
    """
    names = "|".join(name for name in SourceConfig.model_fields if name != "source")
    source, *settings = re.split(rf",(?=(?:{names})=)", text)
    values: dict[str, Any] = {"source": source}
    for setting in settings:
        name, _, value = setting.partition("=")
        # Two volumes are written as 4..200, since a comma parts settings.
        values[name] = value.split("..") if name == "volume_ml" else value
    return values
