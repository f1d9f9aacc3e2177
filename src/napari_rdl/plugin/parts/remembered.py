"""What the widget remembers from one start of napari to the next."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal, TypeVar

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_rdl.errors import OutputError
from napari_rdl.files import write_text

logger = logging.getLogger(__name__)

DEFAULT_KEYS = {"T1": "F1", "T1c": "F2", "T2": "F3", "FLAIR": "F4"}
"""Keys that neither napari nor its layers use."""


class Remembered(BaseModel):
    """A user's last choices in the widget; None where the plugin's settings still decide."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    model: Path | None = Field(
        None, title="Model", description="Checkpoint chosen last; none: the bundled one."
    )
    recent_models: tuple[Path, ...] = Field(
        (), title="Recent models", description="Checkpoints chosen before."
    )
    device: str | None = Field(None, title="Device", description="Device chosen last.")
    plane: Literal["axial", "coronal", "sagittal"] | None = Field(
        None, title="View", description="Plane in which a patient is shown."
    )
    outlines: bool | None = Field(None, title="Outlines", description="Show WT, TC and ET as outlines.")
    side_by_side: bool = Field(
        False, title="Side by side", description="Show each modality in a cell of its own."
    )
    folder: Path | None = Field(
        None, title="Patient folder", description="Where the last patient was opened."
    )
    output_folder: Path | None = Field(None, title="Output folder", description="Where was saved last.")
    keys: dict[str, str] = Field(
        default_factory=lambda: dict(DEFAULT_KEYS), title="Keys", description="Modality -> key that flips it."
    )


def remembered_path() -> Path:
    """Return the file of the remembered choices."""
    return platformdirs.user_config_path("napari-rdl") / "segment_tumour.json"


Kind = TypeVar("Kind", bound=BaseModel)


def load_remembered(path: Path | None = None, kind: type[Kind] = Remembered) -> Kind:
    """Read the remembered choices; a missing or damaged file gives the defaults."""
    path = path or remembered_path()
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return kind()
    except (OSError, ValidationError) as error:
        logger.warning("The remembered choices in %s cannot be read (%s): starting afresh.", path, error)
        return kind()


def save_remembered(remembered: BaseModel, path: Path | None = None) -> None:
    """Write the choices atomically; a folder that cannot be written costs the memory, not the work."""
    path = path or remembered_path()
    try:
        write_text(path, remembered.model_dump_json(indent=2))
    except OutputError as error:
        logger.warning("The choices cannot be remembered: %s", error)
