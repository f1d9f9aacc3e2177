"""Who trains in a run folder now, and how the last one ended: told by files, read without torch."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_rdl.errors import ConfigError, NapariRdlError, OutputError
from napari_rdl.files import read_bytes, write_first, write_text
from napari_rdl.holder import ProcessMark, is_alive, mark_of
from napari_rdl.training.run.folder import RunFolder
from napari_rdl.training.run.growing import MOST_STEPS

logger = logging.getLogger(__name__)


class _Record(BaseModel):
    # A newer version may write more; a watcher reads what it knows.
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Ended(_Record):
    """How a run ended that could still speak."""

    finished: bool = Field(False, title="Finished", description="Whether the last step was taken.")
    step: int = Field(ge=0, le=MOST_STEPS, title="Step", description="Optimiser steps taken.")
    steps: int = Field(ge=0, le=MOST_STEPS, title="Steps", description="Optimiser steps planned.")
    best: float = Field(-1.0, ge=-1, le=1, title="Best", description="Best mean validation Dice, else -1.")
    problem: str | None = Field(None, title="Problem", description="Why it broke off, in a sentence.")
    time: float = Field(default_factory=time.time, title="Time", description="Seconds since 1970.")


Kind = TypeVar("Kind", bound=BaseModel)


def read_record(path: Path, kind: type[Kind]) -> Kind | None:
    """Return what a small file of a run folder says; None if it is absent or cannot be read."""
    try:
        return kind.model_validate_json(read_bytes(path))
    except (OSError, ValidationError):
        return None


@contextmanager
def occupied(folder: RunFolder, *, wanted: bool = True) -> Iterator[None]:
    """Mark a run folder as this process's for as long as the block runs.

    Raises
    ------
    ConfigError
        If another process that lives, or may live on another machine, trains in it.
    """
    if not wanted:
        yield
        return
    _claim(folder)
    try:
        yield
    finally:
        mark = read_record(folder.running, ProcessMark)
        if mark is not None and mark.pid == os.getpid():
            folder.running.unlink(missing_ok=True)


def write_ended(folder: RunFolder, ended: Ended) -> None:
    """Leave word of the end; a run does not fail for the want of it."""
    text = ended.model_dump_json(indent=2) + "\n"
    with contextlib.suppress(NapariRdlError):
        write_text(folder.ended, text, make_folder=False)


def _claim(folder: RunFolder) -> None:
    text = mark_of(os.getpid()).model_dump_json(indent=2) + "\n"
    for _ in range(2):
        before = read_record(folder.running, ProcessMark)
        # A mark of our own came along when a folder was moved while this process trained in it.
        if before is not None and before.pid != os.getpid() and is_alive(before) is not False:
            known = is_alive(before) is True
            raise ConfigError(
                f"Process {before.pid} on {before.host} trains in {folder.path} already: wait for its end, "
                f"or stop it with a file {folder.stop.name} in the folder"
                f"{'' if known else f'; if it is gone, delete {folder.running.name} there'}."
            )
        folder.running.unlink(missing_ok=True)
        try:
            if write_first(folder.running, text):
                return
        except OutputError as error:
            # A full disk must not keep a run from going on.
            logger.warning("%s", error)
            return
    raise ConfigError(f"Another process begins to train in {folder.path} at this moment.")
