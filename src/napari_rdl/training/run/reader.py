"""What a run folder says of its run, read piece by piece, without Qt and without torch."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from napari_rdl.training.run.folder import RunFolder
from napari_rdl.training.run.process import Request
from napari_rdl.training.run.running import Ended, ProcessMark, is_alive, read_record

logger = logging.getLogger(__name__)

PIECE = 16 * 1024
"""Bytes of a growing file that are read at once."""

LOG_TAIL = 6 * 1024
LOG_LINES = 60

_NO_TERM = {"step", "epoch", "loss", "lr", "gradient_norm", "samples_per_s", "memory_mb"}


class State(Enum):
    """What a run is doing; the value is what a user reads."""

    PREPARING = "preparing"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "broke off"
    GONE = "not there"

    @property
    def alive(self) -> bool:
        """Whether a process works on it."""
        return self in (State.PREPARING, State.RUNNING, State.PAUSED, State.STOPPING)


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


@dataclass(frozen=True)
class Glance:
    """How a run stands at one moment.

    Attributes
    ----------
    folder : Path
    state : State
    sentence : str
        What to say of it: why it broke off, where it runs.
    step, steps : int
        Optimiser steps taken and planned; 0 where unknown.
    seconds_left : float or None
    memory_mb, speed, dice : float or None
        Peak memory, crops per second, last mean validation Dice.
    best : float or None
        Best mean validation Dice.
    version : int
        Another number when the curves have changed.
    more : bool
        Whether files hold more than was read yet.
    log : tuple of str
        The last lines.
    preview_stamp : int or None
        Another number when there is another picture.
    checkpoints : tuple of str
        Names of those that exist.
    """

    folder: Path
    state: State
    sentence: str = ""
    step: int = 0
    steps: int = 0
    seconds_left: float | None = None
    memory_mb: float | None = None
    speed: float | None = None
    dice: float | None = None
    best: float | None = None
    version: int = 0
    more: bool = False
    log: tuple[str, ...] = ()
    preview_stamp: int | None = None
    checkpoints: tuple[str, ...] = ()


class RunReader:
    """Follows one run folder; each `look` reads a few kilobytes at most."""

    def __init__(self, folder: Path) -> None:
        self.files = RunFolder(folder)
        self.curves = Curves()
        self._config: dict[str, Any] | None = None
        self._version = 0
        self._offset = 0
        self._half = b""
        self._log: list[str] = []
        self._log_path: Path | None = None
        self._log_offset = 0
        self._last: dict[str, Any] = {}
        self._validation_seconds = 0.0

    def look(self, *, exit_code: int | None = None, log: bool = True) -> Glance:
        """Return how the run stands now; `exit_code` is that of its process, where one knows it."""
        files = self.files
        if not files.path.is_dir():
            return Glance(
                files.path,
                State.GONE,
                f"{files.path} was moved or deleted. Its training ends by itself; if it was moved, open it "
                "at its new place and resume it there.",
                version=self._version,
            )
        more = self._read_metrics()
        if log:
            self._read_log()
        ended = read_record(files.ended, Ended)
        state, sentence = self._state(ended, exit_code)
        steps = ended.steps if ended is not None else self._planned_steps()
        step = int(self._last.get("step", 0))
        if ended is not None and not state.alive:
            step = ended.step
        best = max(self.curves.dice.get("mean", []), default=None)
        return Glance(
            folder=files.path,
            state=state,
            sentence=sentence,
            step=step,
            steps=steps,
            seconds_left=self._seconds_left(step, steps) if state is State.RUNNING else None,
            memory_mb=self._last.get("memory_mb"),
            speed=self._last.get("samples_per_s"),
            dice=(self.curves.dice.get("mean") or [None])[-1],
            best=best,
            version=self._version,
            more=more,
            log=tuple(self._log),
            preview_stamp=_stamp(files.preview),
            checkpoints=tuple(path.name for path in (files.best, files.last) if path.exists()),
        )

    @property
    def config(self) -> dict[str, Any]:
        """The run's configuration; empty before it is there."""
        if self._config is None:
            try:
                self._config = json.loads(self.files.config.read_bytes())
            except (OSError, ValueError):
                return {}
        return self._config

    def _state(self, ended: Ended | None, exit_code: int | None) -> tuple[State, str]:
        files = self.files
        mark, request = read_record(files.running, ProcessMark), read_record(files.request, Request)
        if mark is not None and is_alive(mark) is not False:
            where = "" if is_alive(mark) else f"Runs on {mark.host}, as far as one can tell from here."
            if files.stop.exists():
                return State.STOPPING, "Ends after this step, with a checkpoint."
            if files.pause.exists():
                return State.PAUSED, "Holds after its step, with a checkpoint. Memory stays in use."
            return State.RUNNING, where
        newer = request is not None and (ended is None or request.time > ended.time)
        if newer and request is not None:
            if is_alive(request):
                return State.PREPARING, self._preparing()
            if exit_code != 0 or mark is not None:
                return State.FAILED, self._why(mark is not None, exit_code)
        if ended is not None:
            if ended.problem:
                return State.FAILED, ended.problem
            if ended.finished:
                return State.FINISHED, ""
            return State.STOPPED, "Stopped with a checkpoint; Resume goes on from there."
        if mark is not None:
            return State.FAILED, self._why(True, exit_code)
        steps = self._planned_steps()
        if steps and self._last.get("step") == steps:
            return State.FINISHED, ""
        return State.STOPPED, ""

    def _why(self, began: bool, exit_code: int | None) -> str:
        code = "" if exit_code is None else f" ({_code_in_words(exit_code)})"
        if began:
            hint = ""
            if exit_code == -9:
                hint = " Often the system does so when memory runs out: lower the micro batch or the crop."
            return f"The training process died{code}.{hint} Resume goes on from its last checkpoint."
        said = next((line for line in reversed(self._log) if line.strip()), "It left no word.")
        return f"The training did not begin{code}: {said}"

    def _preparing(self) -> str:
        said = next((line for line in reversed(self._log) if "/" in line and line.strip()), "")
        return said.partition(" ")[2].strip() if "Preparing" in said else "Starting Python and PyTorch…"

    def _planned_steps(self) -> int:
        steps = self._last.get("steps") or self.config.get("optimizer", {}).get("max_steps")
        if steps:
            return int(steps)
        step, epoch = self._last.get("step"), self._last.get("epoch")
        epochs = self.config.get("optimizer", {}).get("epochs")
        # An epoch's length is not written down, but every line says both.
        return round(step / epoch * epochs) if step and epoch and epochs else 0

    def _seconds_left(self, step: int, steps: int) -> float | None:
        speed, config = self._last.get("samples_per_s"), self.config
        if not speed or not steps:
            return None
        seconds = (steps - step) * config.get("optimizer", {}).get("batch", 1) / speed
        every = config.get("validation", {}).get("every")
        if every is None and self._last.get("epoch"):
            every = step / self._last["epoch"]
        if every:
            seconds += (steps // every - step // every) * self._validation_seconds
        return float(seconds)

    def _read_metrics(self) -> bool:
        path = self.files.metrics
        try:
            size = path.stat().st_size
            if size < self._offset:
                # Cut back to a checkpoint: what is left was read, and what comes cuts the curves.
                self._offset, self._half = size, b""
            if size == self._offset:
                return False
            with path.open("rb") as file:
                file.seek(self._offset)
                piece = file.read(PIECE)
        except OSError:
            return False
        self._offset += len(piece)
        *lines, self._half = (self._half + piece).split(b"\n")
        for line in lines:
            try:
                values = json.loads(line)
            except ValueError:
                continue
            if isinstance(values, dict) and isinstance(values.get("step"), int):
                self._take(values)
        return self._offset < size

    def _take(self, values: dict[str, Any]) -> None:
        curves, step = self.curves, values["step"]
        self._version += 1
        if "validation" in values:
            if curves.validated and curves.validated[-1] >= step:
                curves.cut_back(step)
            curves.validated.append(step)
            rows = list(values["validation"].values())
            regions = {region: sum(row[region] for row in rows) / len(rows) for region in rows[0]}
            for name, value in {"mean": values["mean_dice"], **regions}.items():
                curves.dice.setdefault(name, []).append(value)
            self._validation_seconds = values.get("seconds", 0.0)
            return
        if curves.steps and curves.steps[-1] >= step:
            curves.cut_back(step)
        self._last = values
        curves.steps.append(step)
        terms = {name: value for name, value in values.items() if name not in _NO_TERM}
        for name, value in {"loss": values["loss"], **terms}.items():
            curves.losses.setdefault(name, []).append(value)

    def _read_log(self) -> None:
        path = self.files.output if self.files.output.exists() else self.files.log
        try:
            size = path.stat().st_size
            if path != self._log_path or size < self._log_offset:
                self._log_path, self._log, self._log_offset = path, [], max(size - LOG_TAIL, 0)
            elif size - self._log_offset > LOG_TAIL:
                self._log_offset = size - LOG_TAIL
            if size == self._log_offset:
                return
            with path.open("rb") as file:
                file.seek(self._log_offset)
                piece = file.read(LOG_TAIL)
        except OSError:
            return
        # Half a line waits for its end, unless it is all there is.
        whole = piece.rfind(b"\n") + 1 or len(piece)
        self._log_offset += whole
        self._log = [*self._log, *piece[:whole].decode("utf-8", "replace").splitlines()][-LOG_LINES:]


def _stamp(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _code_in_words(code: int) -> str:
    return f"ended by signal {-code}" if code < 0 else f"exit code {code}"
