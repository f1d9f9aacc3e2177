"""What the widget Train model remembers from one start of napari to the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from napari_rdl.plugin.parts.memory import Memory, Remembered, memory_file

RECENT = 5


class RememberedTraining(Remembered):
    """A user's last choices in the widget."""

    recipe: str = Field("laptop", title="Recipe", description="Name of a recipe, or a TOML file.")
    recipe_files: tuple[str, ...] = Field((), title="Recipe files", description="Chosen before.")
    source_kind: str = Field("folder", title="Kind of data", description="folder, split or synthetic.")
    source: str = Field("", title="Data", description="Folder of patients or split file.")
    synthetic: int = Field(16, title="Synthetic patients", description="How many.")
    checkpoints: tuple[Path, ...] = Field((), title="Checkpoints", description="Begun with before.")
    changes: dict[str, Any] = Field(
        default_factory=dict, title="Changes", description="Settings that differ from the recipe."
    )
    runs_folder: Path = Field(
        default_factory=lambda: Path.home() / "napari-rdl-runs",
        title="Runs",
        description="Where new runs are put.",
    )
    opened: tuple[Path, ...] = Field((), title="Opened runs", description="Runs that lie elsewhere.")
    compared: tuple[Path, ...] = Field((), title="Compared", description="Runs whose curves are shown too.")
    shown: Path | None = Field(None, title="Shown", description="The run shown last.")


class TrainMemory(Memory[RememberedTraining]):
    """Where the choices are kept: in `path` in place of the user's own file."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(RememberedTraining, path or memory_file("train_model"))
