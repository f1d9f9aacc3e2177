"""What is being written, and what writers that are no more left unfinished.

A writer that is killed leaves its scratch behind; the next one to write into that folder takes it away.
"""

from __future__ import annotations

import os
import platform
import shutil
import time
import zlib
from contextlib import suppress
from pathlib import Path

import psutil

SCRATCH = ".writing-"
"""What the names of unfinished files and folders begin with."""

_FOREIGN_AGE = 86400.0
"""Seconds after which the scratch of another machine, or of an older version, counts as left behind."""

_CLOCKS = 60.0
"""Seconds by which a file server's clock may differ from ours."""


def sweep(folder: Path) -> None:
    """Take away what processes that are no more left unfinished in `folder`; what cannot be, stays."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not is_scratch(entry.name):
                continue
            with suppress(OSError):
                if not _is_left_behind(entry.name, entry.stat(follow_symlinks=False).st_mtime):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)


def is_scratch(name: str) -> bool:
    """Return whether a file or folder of this name is being written, or was left unfinished."""
    return name.startswith(SCRATCH)


def _is_left_behind(name: str, modified: float) -> bool:
    host, _, rest = name.removeprefix(SCRATCH).partition("-")
    number = rest.partition("-")[0]
    if host != _host() or not number.isdecimal():
        return time.time() - modified > _FOREIGN_AGE
    try:
        process = psutil.Process(int(number))
        # A process that began after the file was written has only inherited the number.
        return process.status() == psutil.STATUS_ZOMBIE or process.create_time() > modified + _CLOCKS
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def name_for_scratch() -> str:
    """Return what the name of this process's scratch begins with."""
    return f"{SCRATCH}{_host()}-{os.getpid()}-"


def _host() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"
