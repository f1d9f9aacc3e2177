"""Writing files whole or not at all.

What is being written lies beside its target under a name of its own, is brought to the disk, and then
takes the target's place at once: a reader sees the old content or the new one, never half of it.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from napari_rdl.errors import OutputError, Remedy
from napari_rdl.files.reading import is_folder, is_there
from napari_rdl.files.scratch import name_for_scratch, sweep

_MAX_ENDING = 20


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
    with _scratch_beside(path, make_folder=make_folder) as temporary:
        writer(temporary)
        # mkstemp makes files private; results follow the user's umask like any other file.
        temporary.chmod(0o666 & ~_umask())
        _to_disk(temporary)
        temporary.replace(path)
        _to_disk(path.parent)
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
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=name_for_scratch(), suffix=_ending(path))
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
    with _scratch_beside(path, make_folder=False) as temporary:
        temporary.write_bytes(text.encode())
        temporary.chmod(0o666 & ~_umask())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError:
            # No hard links here, as on FAT: the last one to come wins.
            temporary.replace(path)
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
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=name_for_scratch()))
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


@contextmanager
def _scratch_beside(path: Path, *, make_folder: bool) -> Iterator[Path]:
    """Lend an empty file beside `path`, with its ending; what is left of it at the end goes.

    Raises
    ------
    OutputError
        For whatever the system refuses meanwhile.
    """
    temporary: Path | None = None
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=name_for_scratch(), suffix=_ending(path))
        os.close(handle)
        temporary = Path(name)
        yield temporary
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


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


def refuse_unusable_folder(folder: Path) -> None:
    """Look whether results can go to `folder`, before hours are spent on them; nothing is made.

    Raises
    ------
    OutputError
        If `folder`, or the nearest folder above it that exists, is a file or cannot be written, or none can
        have its name.
    """
    try:
        folder.absolute().stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{folder} cannot be used ({reason})", Remedy.OTHER_FOLDER) from None
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if is_there(path))
    if not is_folder(nearest):
        raise OutputError(f"{nearest} is a file", Remedy.OTHER_FOLDER)
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(f"{nearest} may not be written to", Remedy.OTHER_FOLDER)
