"""The colours of the tumour's classes: those of the tested palette, or what the user chose in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from psygnal import Signal
from pydantic import Field, field_validator

from napari_rdl.brats import CLASS_COLOURS, CLASSES
from napari_rdl.plugin.parts.memory import Memory, Remembered, memory_file


class RememberedColours(Remembered):
    """Colours that the user chose: class -> such as ``#cc3311``."""

    colours: dict[str, str] = Field(
        default_factory=dict, title="Colours", description="Class -> colour chosen in the palette's place."
    )

    @field_validator("colours")
    @classmethod
    def _known(cls, colours: dict[str, str]) -> dict[str, str]:
        # What a newer version or a hand wrote that is no colour here is passed over.
        return {
            name: colour
            for name, colour in colours.items()
            if name in CLASSES[1:] and re.fullmatch(r"#[0-9a-fA-F]{6}", colour)
        }


class ClassColours(Mapping[int, str]):
    """Class index -> colour, as it is now.

    Signals
    -------
    changed : no value
        The user chose another colour.
    """

    changed = Signal()

    def __init__(self) -> None:
        self._memory: Memory[RememberedColours] | None = None

    def __getitem__(self, index: int) -> str:
        return self._chosen.get(CLASSES[index], CLASS_COLOURS[index])

    def __iter__(self) -> Iterator[int]:
        return iter(CLASS_COLOURS)

    def __len__(self) -> int:
        return len(CLASS_COLOURS)

    @property
    def own(self) -> bool:
        """Whether any colour is not the palette's."""
        return dict(self) != dict(CLASS_COLOURS)

    def choose(self, index: int, colour: str) -> None:
        """Give a class another colour, from now on and at the next start."""
        self._remember({**self._chosen, CLASSES[index]: colour.lower()})

    def reset(self) -> None:
        """Go back to the palette."""
        self._remember({})

    def read_again(self) -> None:
        """Take what is remembered, whoever wrote it."""
        self._memory = None
        self.changed.emit()

    @property
    def _chosen(self) -> dict[str, Any]:
        # Read when first asked for: opening a file needs no folder of settings.
        if self._memory is None:
            self._memory = Memory(RememberedColours, memory_file("class_colours"))
        return self._memory.choices.colours

    def _remember(self, colours: dict[str, str]) -> None:
        before = dict(self)
        assert self._memory is not None
        self._memory.remember(colours=colours)
        if dict(self) != before:
            self.changed.emit()


class_colours = ClassColours()
"""Those of this process."""
