"""How a run stands, read from its folder without Qt and without torch; a face says it in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from napari_rdl.files import is_folder, is_there, parse_json, read_bytes
from napari_rdl.holder import ProcessMark, is_alive
from napari_rdl.training.run.folder import RunFolder
from napari_rdl.training.run.growing import MOST_STEPS, Curves, LogTail, MetricsTail
from napari_rdl.training.run.process import Request
from napari_rdl.training.run.running import Ended, read_record
from napari_rdl.training.run.status import Status

_LONGEST = 1e9
"""Seconds that a run can have left, thirty years: more is no guess but a damaged number."""


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


@dataclass(frozen=True)
class Glance:
    """How a run stands at one moment.

    Attributes
    ----------
    folder : Path
    state : State
    began : bool
        Whether its process came so far as to train.
    problem : str or None
        Why it broke off, as it said itself.
    exit_code : int or None
        That of a process that broke off, where it is known; negative for a signal.
    status : Status or None
        What it does before it trains.
    host : str
        The other machine that it runs on, as far as one can tell; empty for this one.
    resumable : bool
        Whether it left word that it stopped with a checkpoint.
    killed : bool
        Whether its process was ended on purpose, with no word of its own.
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
    began: bool = False
    problem: str | None = None
    exit_code: int | None = None
    status: Status | None = None
    host: str = ""
    resumable: bool = False
    killed: bool = False
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


class _Optimizer(BaseModel):
    max_steps: int | None = Field(None, ge=0, le=MOST_STEPS)
    epochs: int | None = Field(None, ge=0, le=MOST_STEPS)
    batch: int = Field(1, ge=1, le=MOST_STEPS)


class _Validation(BaseModel):
    every: int | None = Field(None, ge=1, le=MOST_STEPS)


class _Planned(BaseModel):
    """What a watcher goes by in a configuration, of whichever version."""

    optimizer: _Optimizer = _Optimizer()
    validation: _Validation = _Validation()
    loss: dict[str, Any] = {}


class RunReader:
    """Follows one run folder; each `look` reads a few kilobytes at most."""

    def __init__(self, folder: Path) -> None:
        self.files = RunFolder(folder)
        self._metrics = MetricsTail(self.files.metrics)
        self._log = LogTail()
        self._config: dict[str, Any] | None = None

    @property
    def curves(self) -> Curves:
        """The curves as they were read so far."""
        return self._metrics.curves

    @property
    def config(self) -> dict[str, Any]:
        """The run's configuration; empty before it is there."""
        if self._config is None:
            try:
                config = parse_json(read_bytes(self.files.config))
                _Planned.model_validate(config)
            except (OSError, ValueError):
                return {}
            self._config = config
        return self._config

    def look(self, *, exit_code: int | None = None) -> Glance:
        """Return how the run stands now; `exit_code` is that of its process, where one knows it."""
        files, metrics = self.files, self._metrics
        if not is_folder(files.path):
            return Glance(files.path, State.GONE, version=metrics.version)
        more = metrics.read()
        self._log.read(files.output if is_there(files.output) else files.log)
        ended = read_record(files.ended, Ended)
        glance = self._judge(ended, exit_code)
        if glance.state is State.FAILED and glance.problem is None and is_there(files.killed):
            glance = replace(glance, state=State.STOPPED, killed=True)
        steps = ended.steps if ended is not None else self._planned_steps()
        step = int(metrics.last.get("step", 0))
        if ended is not None and not glance.state.alive:
            step = ended.step
        dice = self.curves.dice.get("mean", [])
        return replace(
            glance,
            step=step,
            steps=steps,
            seconds_left=self._seconds_left(step, steps) if glance.state is State.RUNNING else None,
            memory_mb=metrics.last.get("memory_mb"),
            speed=metrics.last.get("samples_per_s"),
            dice=dice[-1] if dice else None,
            best=max(dice, default=None),
            version=metrics.version,
            more=more,
            log=tuple(self._log.lines),
            preview_stamp=_stamp(files.preview),
            checkpoints=tuple(path.name for path in (files.best, files.last) if is_there(path)),
        )

    def _judge(self, ended: Ended | None, exit_code: int | None) -> Glance:
        """Return the state, and what is to be said of it."""
        files = self.files
        mark, request = read_record(files.running, ProcessMark), read_record(files.request, Request)
        if mark is not None and is_alive(mark) is not False:
            host = "" if is_alive(mark) else mark.host
            state = State.RUNNING
            if is_there(files.stop):
                state = State.STOPPING
            elif is_there(files.pause):
                state = State.PAUSED
            return Glance(files.path, state, began=True, host=host)
        if request is not None and (ended is None or request.time > ended.time):
            status = read_record(files.status, Status)
            if is_alive(request):
                return Glance(files.path, State.PREPARING, status=status)
            if exit_code != 0 or mark is not None:
                # The mark may be that of a process which was killed before this one refused to go on.
                began = mark is not None and (status is None or status.kind != "refused")
                return Glance(files.path, State.FAILED, began=began, exit_code=exit_code, status=status)
        if ended is not None:
            if ended.problem:
                return Glance(files.path, State.FAILED, began=True, problem=ended.problem)
            if ended.finished:
                return Glance(files.path, State.FINISHED, began=True)
            return Glance(files.path, State.STOPPED, began=True, resumable=True)
        if mark is not None:
            return Glance(files.path, State.FAILED, began=True, exit_code=exit_code)
        steps = self._planned_steps()
        done = bool(steps) and self._metrics.last.get("step") == steps
        return Glance(files.path, State.FINISHED if done else State.STOPPED)

    def _planned_steps(self) -> int:
        last, optimizer = self._metrics.last, self.config.get("optimizer", {})
        steps = last.get("steps") or optimizer.get("max_steps")
        if steps:
            return int(steps)
        step, epoch, epochs = last.get("step"), last.get("epoch"), optimizer.get("epochs")
        # Runs of earlier versions do not write an epoch's length down, but every line says both.
        planned = step / epoch * epochs if step and epoch and epochs else 0
        return round(planned) if planned <= MOST_STEPS else 0

    def _seconds_left(self, step: int, steps: int) -> float | None:
        last, config = self._metrics.last, self.config
        speed = last.get("samples_per_s")
        if not speed or not steps:
            return None
        seconds = (steps - step) * config.get("optimizer", {}).get("batch", 1) / speed
        every = config.get("validation", {}).get("every")
        if every is None and last.get("epoch"):
            every = step / last["epoch"]
        if every:
            seconds += (steps // every - step // every) * self._metrics.validation_seconds
        return float(seconds) if seconds <= _LONGEST else None


def _stamp(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
