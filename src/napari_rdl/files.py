"""Writing files whole or not at all: the only place that knows how.

What is being written lies beside its target under a name of its own, is brought to the disk, and then
takes the target's place at once: a reader sees the old content or the new one, never half of it. A writer
that is killed leaves its scratch behind; the next one to write into that folder takes it away.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import shutil
import stat
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from napari_rdl.errors import OutputError

SCRATCH = ".writing-"
"""What the names of unfinished files and folders begin with."""

_FOREIGN_AGE = 86400.0
"""Seconds after which the scratch of another machine, or of an older version, counts as left behind."""
_CLOCKS = 60.0
"""Seconds by which a file server's clock may differ from ours."""
_MAX_ENDING = 20
_MAX_NAME = 200
"""Bytes of a name; file systems take 255, and endings come behind."""


def write_file(path: str | Path, writer: Callable[[Path], object], *, make_folder: bool = True) -> Path:
    """Let `writer` fill a temporary file beside `path`, then put it in place at once.

    Parameters
    ----------
    path : str or Path
        Where the file shall be; what is there is replaced.
    writer : callable
        Called with the temporary file's path, which has the same ending.
    make_folder : bool
        Whether missing folders are made; else they are an error.

    Raises
    ------
    OutputError
        If the folder cannot be made or written to, or the disk is full.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(), suffix=_ending(path))
        os.close(handle)
        temporary = Path(name)
        writer(temporary)
        # mkstemp makes files private; results follow the user's umask like any other file.
        temporary.chmod(0o666 & ~_umask())
        _to_disk(temporary)
        temporary.replace(path)
        _to_disk(path.parent)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    return path


def write_bytes(path: str | Path, content: bytes, *, make_folder: bool = True) -> Path:
    """Write bytes, whole or not at all; see `write_file`."""
    return write_file(path, lambda temporary: temporary.write_bytes(content), make_folder=make_folder)


def write_text(path: str | Path, text: str, *, make_folder: bool = True) -> Path:
    """Write text as UTF-8 with the line ends that it has, whole or not at all; see `write_file`."""
    # A lone surrogate stands for a byte of a file name that is no UTF-8; it is kept readable.
    return write_bytes(path, text.encode("utf-8", "backslashreplace"), make_folder=make_folder)


def write_json(path: str | Path, content: Any, *, indent: int = 2, make_folder: bool = True) -> Path:
    """Write JSON, whole or not at all; see `write_file`."""
    return write_text(path, json.dumps(content, indent=indent) + "\n", make_folder=make_folder)


def write_together(contents: Sequence[tuple[str | Path, bytes]]) -> list[Path]:
    """Write files that belong together, in one folder: all are on the disk before the first takes its place.

    They take their places in the order given, one right after the other. Whoever is killed between two of
    them leaves the earlier ones, so what must not stand alone comes last.

    Raises
    ------
    OutputError
        If the folder cannot be made or written to, or the disk is full; what was there before stays.
    """
    paths = [Path(path) for path, _ in contents]
    scratch: list[Path] = []
    path = paths[0]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        for path, (_, content) in zip(paths, contents, strict=True):
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(), suffix=_ending(path))
            scratch.append(Path(name))
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            scratch[-1].chmod(0o666 & ~_umask())
            _to_disk(scratch[-1])
        for path in paths:
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        for path, temporary in zip(paths, scratch, strict=True):
            temporary.replace(path)
        _to_disk(path.parent)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        for temporary in scratch:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    return paths


def write_first(path: str | Path, text: str) -> bool:
    """Write a text file whole, unless it exists; of two processes that try, one is told False.

    Raises
    ------
    OutputError
        If the folder cannot be written to, or the disk is full.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        sweep(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(), suffix=_ending(path))
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
        temporary.chmod(0o666 & ~_umask())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError:
            # No hard links here, as on FAT: the last one to come wins.
            temporary.replace(path)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    return True


def write_folder(path: str | Path, writer: Callable[[Path], object]) -> Path:
    """Let `writer` fill a temporary folder beside `path`, then put it in the place of what is there.

    Raises
    ------
    OutputError
        If it cannot be written there.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=_prefix()))
        writer(temporary)
        temporary.chmod(0o777 & ~_umask())
        for item in temporary.rglob("*"):
            _to_disk(item)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        temporary.replace(path)
        _to_disk(path.parent)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        if temporary is not None and temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)
    return path


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


def plain_name(text: str) -> str:
    """Return a name that is one: without folders, control characters, or bytes that are no text.

    What a record, a card or a folder's own name calls a patient may become a file's name; it must not lead
    anywhere else, command a terminal, or be too long for what is put behind it.
    """
    name = re.sub(r"[/\\]", "-", text)
    name = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", "_", name)
    if name.strip(". ") == "":
        return name.replace(".", "_").strip() or "_"
    if len(name.encode()) > _MAX_NAME:
        # A hash of the whole, so that two long names that begin alike stay apart.
        start = name.encode()[: _MAX_NAME - 9].decode(errors="ignore")
        name = f"{start}-{zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}"
    return name


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


def _prefix() -> str:
    return f"{SCRATCH}{_host()}-{os.getpid()}-"


def _host() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _ending(path: Path) -> str:
    """Return what follows the name's stem, ``.nii.gz`` as one: writers go by it."""
    suffixes = path.suffixes
    ending = "".join(suffixes[-2:]) if suffixes and suffixes[-1].lower() == ".gz" else path.suffix
    return ending if len(ending) <= _MAX_ENDING else ""


def _to_disk(path: Path) -> None:
    """Have the system write a file, or what a folder lists, through to the disk."""
    if path.is_dir():
        if os.name == "nt":
            return  # folders cannot be opened there
        flags = os.O_RDONLY
    else:
        flags = os.O_RDWR
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    except OSError:
        # Some network file systems cannot say; a full disk has been said before.
        if not path.is_dir():
            raise
    finally:
        os.close(handle)


def _output_error(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path} cannot be written ({error.strerror or error}): "
        "choose a folder that you may write to and that has room."
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
