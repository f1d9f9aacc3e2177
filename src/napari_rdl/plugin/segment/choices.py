"""What holds at the start: a user's last choice in the widget, else the plugin's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from napari_rdl.plugin.parts.memory import Memory, Remembered, memory_file
from napari_rdl.plugin.segment.key_bindings import DEFAULT_KEYS
from napari_rdl.plugin.segment.session import RunChoice
from napari_rdl.plugin.settings import plugin_settings


class RememberedSegmentation(Remembered):
    """A user's last choices in the widget; None where the plugin's settings still decide."""

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


class Choices(Memory[RememberedSegmentation]):
    """The choices that outlive the widget."""

    def __init__(self) -> None:
        super().__init__(RememberedSegmentation, memory_file("segment_tumour"))
        self._settings = plugin_settings()

    @property
    def run(self) -> RunChoice:
        """The model and the device to begin with."""
        return RunChoice(
            self.choices.model or self._settings.model, self.choices.device or self._settings.device
        )

    @property
    def plane(self) -> str:
        """The plane in which a patient is shown."""
        return self.choices.plane or self._settings.default_plane

    @property
    def outlines(self) -> bool:
        """Whether predictions are shown as outlines."""
        return self._settings.outlines if self.choices.outlines is None else self.choices.outlines

    @property
    def memory_budget_bytes(self) -> int:
        """What encoded patients may take together, as the settings have it now."""
        return plugin_settings().memory_budget_bytes
