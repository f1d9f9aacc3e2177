"""What a training process does now, or why it refused to begin, for the program that started it.

The log is for people. A program asks for this record by naming a file in the environment variable
`STATUS_VARIABLE`; without it nothing is written.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from napari_rdl.callbacks import Progress
from napari_rdl.errors import NapariRdlError, Remedy
from napari_rdl.files import write_text
from napari_rdl.training.run.growing import MOST_STEPS

STATUS_VARIABLE = "NAPARI_RDL_STATUS"

_INTERVAL = 1.0
"""Seconds between two records of progress."""


class Status(BaseModel):
    """What a process does, or why it ended before it began."""

    # A newer version may write more; a reader takes what it knows.
    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: Literal["working", "refused"] = Field(title="Kind", description="Whether it works or refused.")
    message: str = Field(title="Message", description="What is done, or what is wrong.")
    done: int = Field(0, ge=0, le=MOST_STEPS, title="Done", description="Steps done.")
    total: int = Field(0, ge=0, le=MOST_STEPS, title="Total", description="Steps in all, 0 if not known.")
    remedy: Remedy | None = Field(None, title="Remedy", description="What would mend what is wrong.")
    about: dict[str, str] = Field(
        default_factory=dict, title="About", description="What the remedy's wording may name."
    )

    @property
    def error(self) -> NapariRdlError:
        """The refusal, for a face to word."""
        return NapariRdlError(self.message, self.remedy, **self.about)


@contextmanager
def status_told(progress: Progress) -> Iterator[Progress]:
    """Tell progress, and a refusal, to a program that asked for it.

    Yields
    ------
    Progress
        To be called in the place of `progress`, which it calls.
    """
    name = os.environ.get(STATUS_VARIABLE)
    if not name:
        yield progress
        return
    path = Path(name)
    last = -_INTERVAL

    def tell(done: int, total: int, message: str) -> None:
        nonlocal last
        progress(done, total, message)
        now = time.monotonic()
        if now - last >= _INTERVAL:
            last = now
            _write(path, Status(kind="working", message=message, done=done, total=total))

    try:
        yield tell
    except NapariRdlError as error:
        about = {name: str(value) for name, value in error.about.items()}
        _write(path, Status(kind="refused", message=error.what, remedy=error.remedy, about=about))
        raise


def _write(path: Path, status: Status) -> None:
    # Nobody's training fails because a watcher's file cannot be written.
    with contextlib.suppress(NapariRdlError):
        write_text(path, status.model_dump_json(), make_folder=False)
