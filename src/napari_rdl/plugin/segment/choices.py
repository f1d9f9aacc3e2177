"""What holds at the start: a user's last choice in the widget, else the plugin's settings."""

from __future__ import annotations

from napari_rdl.plugin.parts.remembered import Remembered, load_remembered, save_remembered
from napari_rdl.plugin.segment.session import RunChoice
from napari_rdl.plugin.settings import plugin_settings


class Choices:
    """The choices that outlive the widget."""

    def __init__(self) -> None:
        self._settings = plugin_settings()
        self.remembered: Remembered = load_remembered()

    @property
    def run(self) -> RunChoice:
        """The model and the device to begin with."""
        return RunChoice(
            self.remembered.model or self._settings.model, self.remembered.device or self._settings.device
        )

    @property
    def plane(self) -> str:
        """The plane in which a patient is shown."""
        return self.remembered.plane or self._settings.default_plane

    @property
    def outlines(self) -> bool:
        """Whether predictions are shown as outlines."""
        return self._settings.outlines if self.remembered.outlines is None else self.remembered.outlines

    @property
    def memory_budget_bytes(self) -> int:
        """What encoded patients may take together."""
        return self._settings.memory_budget_bytes

    def remember(self, **choices: object) -> None:
        """Keep these fields of `Remembered` for the next start."""
        for name, value in choices.items():
            setattr(self.remembered, name, value)
        save_remembered(self.remembered)
