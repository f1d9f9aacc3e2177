"""What the user set for this plugin in napari's preferences."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

PLUGIN_NAME = "napari-rdl"
CONFIGURATION = "segment"
"""Key of the group of settings in the manifest."""


@dataclass(frozen=True)
class PluginSettings:
    """The plugin's settings; titles, descriptions and limits stand in the manifest.

    Attributes
    ----------
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    model_path : str
        A checkpoint, or empty for the bundled one.
    memory_budget_mb : int
        Megabytes that encoded patients may take together.
    default_plane : str
        ``"axial"``, ``"coronal"`` or ``"sagittal"``.
    outlines : bool
        Whether a new prediction is shown as outlines.
    run_on_open : bool
        Whether a patient is segmented as soon as it is open.
    annotator : str
        Who corrects labels; empty where nobody said.
    """

    device: str = "auto"
    model_path: str = ""
    memory_budget_mb: int = 4096
    default_plane: str = "axial"
    outlines: bool = False
    run_on_open: bool = False
    annotator: str = ""

    @property
    def model(self) -> Path | None:
        """The checkpoint to load, or None for the bundled one."""
        return Path(self.model_path).expanduser() if self.model_path.strip() else None

    @property
    def memory_budget_bytes(self) -> int:
        """The budget in bytes."""
        return self.memory_budget_mb * 2**20


def plugin_settings() -> PluginSettings:
    """Read the settings from napari; the defaults where napari does not know the plugin."""
    group = _group()
    if group is None:
        return PluginSettings()
    return PluginSettings(**{field.name: getattr(group, field.name) for field in fields(PluginSettings)})


def follow_settings(changed: Callable[[], None]) -> Callable[[], None]:
    """Have `changed` called whenever the user changes a setting; what is returned ends that."""
    group = _group()
    if group is None:
        return lambda: None

    def heard(_event: object) -> None:
        changed()

    group.events.connect(heard)
    return lambda: group.events.disconnect(heard)


def _group() -> Any:
    """Return napari's evented model of the settings, or None."""
    from napari.settings import get_plugin_settings

    try:
        return getattr(get_plugin_settings(PLUGIN_NAME), CONFIGURATION)
    except (AttributeError, KeyError):
        # Running from Python without the plugin registered, or switched off in the plugin list.
        logger.info("napari has no settings for %s: using the defaults", PLUGIN_NAME)
        return None
