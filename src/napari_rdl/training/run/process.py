"""Training as a process of its own, which outlives napari; it is spoken to through its run folder."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from pydantic import ConfigDict, Field

from napari_rdl.errors import ConfigError, OutputError
from napari_rdl.files import write_json
from napari_rdl.holder import ProcessMark, is_alive, mark_of
from napari_rdl.training.run.folder import RunFolder
from napari_rdl.training.run.running import Ended, read_record
from napari_rdl.training.run.status import STATUS_VARIABLE

logger = logging.getLogger(__name__)


class Request(ProcessMark):
    """What was started in a run folder: the process's mark and its command line."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    command: tuple[str, ...] = Field((), title="Command", description="Command line of the process.")


@dataclass(frozen=True)
class RunPlan:
    """What a user set up: a recipe and the changes against it.

    Attributes
    ----------
    recipe : str
        Name of a recipe of the package, or a TOML file; empty for what the data ask for.
    changes : mapping
        Dotted key -> value.
    data : tuple of str
        What ``--data`` names.
    """

    recipe: str
    changes: Mapping[str, Any]
    data: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """Return the options of the command line."""
        words = ["--recipe", self.recipe] if self.recipe else []
        for source in self.data:
            words += ["--data", source]
        for key, value in self.changes.items():
            words += ["--set", f"{key}={written(value)}"]
        return words


def written(value: Any) -> str:
    """Return a setting as ``--set`` reads it."""
    if value is None:
        return "none"
    # JSON's texts, numbers, booleans and lists are TOML's too.
    return json.dumps(value, ensure_ascii=False)


def training_command(words: Iterable[str]) -> list[str]:
    """Return the command line of a training with these options."""
    return [sys.executable, "-m", "napari_rdl.training", *words]


def training_environment(status: Path) -> dict[str, str]:
    """Return the environment of a training that tells in the file `status` what it does."""
    # Lines come when they are written, and a terminal's colours stay out of the log.
    return {**os.environ, STATUS_VARIABLE: str(status), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}


class RunProcesses:
    """Starts training processes, and knows how those that it started ended."""

    def __init__(self) -> None:
        self._started: dict[Path, subprocess.Popen[bytes]] = {}

    def start(self, plan: RunPlan, folder: Path) -> None:
        """Start a new run.

        Raises
        ------
        OutputError
            If the folder cannot be made, is not empty, or if no process can be started.
        """
        run = RunFolder(folder)
        if run.request.exists():
            raise OutputError(f"{folder} holds a run already: choose another name.")
        run.require_new()
        self._launch(run, [*plan.words(), "--out", str(folder)])

    def resume(self, folder: Path) -> None:
        """Go on with a run from its last checkpoint, or begin again one that never began.

        Raises
        ------
        ConfigError
            If it goes on already, or was never begun.
        OutputError
            If no process can be started.
        """
        run = RunFolder(folder)
        request, ended = read_record(run.request, Request), read_record(run.ended, Ended)
        # A process that has left word of its end may take a moment to go.
        begins = request is not None and (ended is None or request.time > ended.time)
        for mark in (read_record(run.running, ProcessMark), request if begins else None):
            if mark is not None and is_alive(mark):
                raise ConfigError(f"{folder} goes on already, in process {mark.pid}.")
        if run.config.exists():
            self._launch(run, ["--resume", str(folder)])
        elif request is not None:
            words = list(request.command[3:])
            if "--out" in words:
                # The folder may have been moved since.
                words[words.index("--out") + 1] = str(folder)
            self._launch(run, words)
        else:
            raise ConfigError(f"{folder} is no run folder: it has no config.json.")

    def exit_code(self, folder: Path) -> int | None:
        """Return the exit code of the process last started here, if it has ended."""
        process = self._started.get(folder)
        return None if process is None else process.poll()

    def _launch(self, run: RunFolder, words: Sequence[str]) -> None:
        command = training_command(words)
        try:
            run.path.mkdir(parents=True, exist_ok=True)
            run.status.unlink(missing_ok=True)
            run.killed.unlink(missing_ok=True)
            with run.output.open("ab") as output:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=training_environment(run.status.absolute()),
                    **detached(),
                )
        except OSError as error:
            raise OutputError(
                f"The training cannot be started in {run.path} ({error.strerror or error}): choose a folder "
                "that you may write to."
            ) from error
        self._started[run.path] = process
        mark = mark_of(process.pid).model_dump()
        write_json(run.request, {**mark, "command": command})
        logger.info("Started process %d: %s", process.pid, " ".join(command))


def ask_to_stop(folder: Path) -> None:
    """Ask a run to end after its step, with a checkpoint; one that still prepares is ended at once.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    run = RunFolder(folder)
    if not run.running.exists() and read_record(run.request, Request) is not None:
        kill(folder)
        return
    _touch(run.stop)


def ask_to_pause(folder: Path, pause: bool) -> None:
    """Ask a run to hold after its step, or to go on.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    run = RunFolder(folder)
    if pause:
        _touch(run.pause)
    else:
        run.pause.unlink(missing_ok=True)


def kill(folder: Path) -> None:
    """End a run's process and its workers now; what came after the last checkpoint is lost."""
    run = RunFolder(folder)
    for mark in (read_record(run.running, ProcessMark), read_record(run.request, Request)):
        if mark is None or mark.pid == os.getpid() or not is_alive(mark):
            continue
        # Before it dies: whoever watches shall not take it for an accident.
        with contextlib.suppress(OSError):
            run.killed.touch()
        try:
            process = psutil.Process(mark.pid)
            for one in [*process.children(recursive=True), process]:
                one.kill()
        except psutil.NoSuchProcess:
            continue


def _touch(path: Path) -> None:
    try:
        path.touch()
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror}), so the run does not hear of it."
        ) from error


def detached() -> dict[str, Any]:
    """Return what keeps a process alive when napari, or its terminal, is closed."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}
