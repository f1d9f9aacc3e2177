"""Reading small files and JSON within bounds, whoever wrote them."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any


def read_bytes(path: str | Path, most: int = 2**24) -> bytes:
    """Return the content of a small file, such as a record.

    Raises
    ------
    OSError
        If it is no plain file, holds more than `most` bytes, or cannot be read.
    """
    path = Path(path)
    try:
        status = path.stat()
    except ValueError as error:  # a name with a NUL
        raise OSError(errno.EINVAL, str(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no plain file")
    if status.st_size > most:
        raise OSError(errno.EFBIG, "it is too large")
    return path.read_bytes()


def is_there(path: str | Path) -> bool:
    """Return whether there is something; what the system lets nobody look at counts as not there."""
    return os.path.exists(path)


def is_file(path: str | Path) -> bool:
    """Return whether there is a plain file that can be looked at; a name too long for one is none's."""
    return os.path.isfile(path)


def is_folder(path: str | Path) -> bool:
    """Return whether there is a folder that can be looked at."""
    return os.path.isdir(path)


def parse_json(content: bytes | str) -> Any:
    """Return what JSON says.

    Raises
    ------
    ValueError
        If it is none, is no UTF-8, is nested without end, or has numbers that no computer reads.
    """
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except json.JSONDecodeError:
        raise
    except UnicodeDecodeError:
        raise ValueError("it is no text") from None
    except ValueError:
        raise ValueError("it holds a number of too many digits") from None
