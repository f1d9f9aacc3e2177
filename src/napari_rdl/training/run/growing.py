"""The files of a run folder that grow: curves and log, read piece by piece."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from napari_rdl.files import parse_json

PIECE = 16 * 1024
"""Bytes of the curves' file that are read at once."""

LOG_TAIL = 6 * 1024
LOG_LINES = 60

MOST_STEPS = 2**53
"""More are no number of steps: larger whole numbers are not exact in what draws and counts them."""

_NO_TERM = {"step", "steps", "epoch", "loss", "lr", "gradient_norm", "samples_per_s", "memory_mb"}


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    step: int = Field(ge=0, le=MOST_STEPS)


class _Losses(_Line):
    """A line of training; terms of the loss stand beside these."""

    loss: float
    steps: int | None = Field(None, ge=0, le=MOST_STEPS)
    epoch: float | None = Field(None, ge=0, le=MOST_STEPS, allow_inf_nan=False)
    samples_per_s: float | None = Field(None, ge=0, allow_inf_nan=False)
    memory_mb: float | None = None


class _Scores(_Line):
    """A line of validation: subset -> region -> Dice."""

    mean_dice: float
    validation: dict[str, dict[str, float]] = Field(min_length=1)
    seconds: float = Field(0.0, ge=0, allow_inf_nan=False)


@dataclass
class Curves:
    """Numbers over steps, as lists that grow."""

    steps: list[int] = field(default_factory=list)
    losses: dict[str, list[float]] = field(default_factory=dict)
    validated: list[int] = field(default_factory=list)
    dice: dict[str, list[float]] = field(default_factory=dict)

    def cut_back(self, step: int) -> None:
        """Forget what was measured at `step` and later: the run took those steps again."""
        for steps, columns in ((self.steps, self.losses), (self.validated, self.dice)):
            keep = next((index for index, at in enumerate(steps) if at >= step), len(steps))
            del steps[keep:]
            for column in columns.values():
                del column[keep:]


class MetricsTail:
    """Follows ``metrics.jsonl``, also where it is cut back to a checkpoint.

    Attributes
    ----------
    curves : Curves
    last : dict
        The last line of training.
    validation_seconds : float
        How long the last validation took.
    version : int
        Another number when the curves have changed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._half = b""
        self.curves = Curves()
        self.last: dict[str, Any] = {}
        self.validation_seconds = 0.0
        self.version = 0

    def read(self) -> bool:
        """Read a piece; return whether there is more."""
        try:
            size = self._path.stat().st_size
            if size < self._offset:
                # Cut back to a checkpoint: what is left was read, and what comes cuts the curves.
                self._offset, self._half = size, b""
            if size == self._offset:
                return False
            with self._path.open("rb") as file:
                file.seek(self._offset)
                piece = file.read(PIECE)
        except OSError:
            return False
        self._offset += len(piece)
        *lines, self._half = (self._half + piece).split(b"\n")
        for line in lines:
            try:
                values = parse_json(line)
                kind = _Scores if isinstance(values, dict) and "validation" in values else _Losses
                kind.model_validate(values)
            except ValueError:
                # A line that a full disk cut, or that is none of ours.
                continue
            self._take(values)
        return self._offset < size

    def _take(self, values: dict[str, Any]) -> None:
        curves, step = self.curves, values["step"]
        self.version += 1
        if "validation" in values:
            if curves.validated and curves.validated[-1] >= step:
                curves.cut_back(step)
            curves.validated.append(step)
            rows = list(values["validation"].values())
            regions = {region: sum(row.get(region, 0.0) for row in rows) / len(rows) for region in rows[0]}
            for name, value in {"mean": values["mean_dice"], **regions}.items():
                curves.dice.setdefault(name, []).append(value)
            self.validation_seconds = values.get("seconds", 0.0)
            return
        if curves.steps and curves.steps[-1] >= step:
            curves.cut_back(step)
        self.last = values
        curves.steps.append(step)
        terms = {
            name: value
            for name, value in values.items()
            if name not in _NO_TERM and isinstance(value, int | float)
        }
        for name, value in {"loss": values["loss"], **terms}.items():
            curves.losses.setdefault(name, []).append(value)


class LogTail:
    """Follows the end of a log, and of another one in its place."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._offset = 0
        self.lines: list[str] = []

    def read(self, path: Path) -> None:
        """Read what was added to `path`, of a long one the end alone."""
        try:
            size = path.stat().st_size
            if path != self._path or size < self._offset:
                self._path, self.lines, self._offset = path, [], max(size - LOG_TAIL, 0)
            elif size - self._offset > LOG_TAIL:
                self._offset = size - LOG_TAIL
            if size == self._offset:
                return
            with path.open("rb") as file:
                file.seek(self._offset)
                piece = file.read(LOG_TAIL)
        except OSError:
            return
        # Half a line waits for its end, unless it is all there is.
        whole = piece.rfind(b"\n") + 1 or len(piece)
        self._offset += whole
        self.lines = [*self.lines, *piece[:whole].decode("utf-8", "replace").splitlines()][-LOG_LINES:]
