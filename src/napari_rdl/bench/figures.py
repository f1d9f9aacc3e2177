"""Figures that pages are made of: what was measured, by which command, on which machine; as a JSON file."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from napari_rdl.bench.machine import Machine, this_machine
from napari_rdl.errors import ConfigError
from napari_rdl.files import parse_json, read_bytes, write_json

logger = logging.getLogger(__name__)


class Figure(BaseModel):
    """One line: a number, and what it may be at most.

    Attributes
    ----------
    what : str
    value : float
        Of several, the median.
    unit : str
        ``s``, ``ms``, ``MB``, ``GFLOP/s``, empty for a ratio or a count.
    worst : float or None
        The 95th percentile, where there are at least five values.
    limit : float or None
        The target, in `unit`; None where there is none.
    least : bool
        Whether the target is a least and not a most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    what: str
    value: float
    unit: str = ""
    worst: float | None = None
    limit: float | None = None
    least: bool = False

    @property
    def holds(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.limit is None:
            return None
        return self.value >= self.limit if self.least else self.value <= self.limit


class Figures(BaseModel):
    """What one command measured.

    Attributes
    ----------
    kind : str
        The subcommand of ``napari-rdl bench``.
    command : str
        As it was typed, but for paths.
    on : str
        On what: the patient, its size.
    notes : tuple of str
        Sentences that belong beneath the table.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    command: str
    on: str
    machine: Machine
    rows: tuple[Figure, ...]
    notes: tuple[str, ...] = ()

    def write(self, path: str | Path) -> Path:
        """Write them as a JSON file.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        return write_json(path, self.model_dump(mode="json"))

    @classmethod
    def read(cls, path: Path) -> Figures:
        """Return what a file holds.

        Raises
        ------
        ConfigError
            If it is no such file.
        """
        try:
            return cls.model_validate(parse_json(read_bytes(path)))
        except (OSError, ValueError, ValidationError) as error:
            raise ConfigError(
                f"{path} holds no figures of `napari-rdl bench`: measure them again."
            ) from error


def figures(kind: str, command: str, on: str, rows: Sequence[Figure], notes: Sequence[str] = ()) -> Figures:
    """Return what was measured on this machine."""
    return Figures(
        kind=kind, command=command, on=on, machine=this_machine(), rows=tuple(rows), notes=tuple(notes)
    )


def timed(what: str, seconds: Sequence[float], *, limit: float | None = None) -> Figure:
    """Return times as a line: below a second in ms."""
    middle = median(seconds)
    small = max(middle, limit or 0.0) < 1.0
    scale, unit = (1e3, "ms") if small else (1.0, "s")
    worst = float(np.percentile(seconds, 95)) * scale if len(seconds) >= 5 else None
    return Figure(
        what=what,
        value=middle * scale,
        unit=unit,
        worst=worst,
        limit=limit * scale if limit is not None else None,
    )
