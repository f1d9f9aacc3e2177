"""A door: a way that a user's files come in by. It makes a sound one, damages it, and opens it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from napari_rdl.bench.faults.damage import (
    Damage,
    Rng,
)


class Door(ABC):
    """Something that a user's file comes in by.

    Parameters
    ----------
    folder : Path
        Empty; for its files alone.
    """

    name: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def damage(self, rng: Rng) -> str:
        """Damage a sound file, and return in words what was done."""

    @abstractmethod
    def open(self) -> str:
        """Open what was damaged; return what is wrong with what was read, or nothing.

        Raises
        ------
        NapariRdlError
            If it is refused.
        """


class FileDoor(Door):
    """One file with other content.

    Attributes
    ----------
    path : Path
    damages : tuple of Damage
    """

    damages: tuple[Damage, ...]

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = self.make()
        self.whole = self.path.read_bytes()

    @abstractmethod
    def make(self) -> Path:
        """Write what is sound; return the file that is to be damaged."""

    def damage(self, rng: Rng) -> str:
        """Damage the file."""
        damage = self.damages[int(rng.integers(len(self.damages)))]
        content, said = damage(self.whole, rng)
        self.path.write_bytes(content)
        return said
