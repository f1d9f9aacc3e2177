"""Who has a file that only one may write: a mark beside it, which a dead process and a silent machine lose.

Locks of the system are not kept by all file servers and do not say who has them. A mark is a small file,
made by whoever comes first, that names its process, machine and user. On its own machine a process is looked
up; from another machine a mark counts for as long as it is renewed.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import threading
import time
import uuid
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_rdl.errors import OutputError
from napari_rdl.files import SCRATCH, read_bytes, write_first, write_text

SAME_START = 2.0
"""Seconds by which two readings of a process's start may differ."""
RENEW_SECONDS = 20.0
"""How often a mark is renewed."""
SILENT_SECONDS = 180.0
"""After so long without being renewed, the mark of another machine counts as left behind."""

_ours: set[str] = set()
"""Tokens of the marks that this process holds."""


class ProcessMark(BaseModel):
    """A process, told apart from a later one that got the same number."""

    # A newer version may write more; a reader takes what it knows.
    model_config = ConfigDict(extra="ignore", frozen=True)

    pid: int = Field(title="Process", description="Its number on its machine.")
    host: str = Field(title="Host", description="Name of its machine.")
    process_started: float = Field(title="Process started", description="Seconds since 1970.")
    time: float = Field(title="Time", description="When this was written, seconds since 1970.")


class Holder(ProcessMark):
    """Who has a file."""

    user: str = Field("", title="User", description="As the annotator calls herself, or her machine does.")
    token: str = Field("", title="Token", description="Tells two windows of one process apart.")

    def words(self) -> str:
        """Return who it is, as a user reads it."""
        if self.host != socket.gethostname():
            return f"{self.user or 'somebody'} on {self.host}"
        where = "another window" if self.pid == os.getpid() else f"process {self.pid} on this computer"
        return f"{self.user} ({where})" if self.user else where


def mark_of(pid: int) -> ProcessMark:
    """Return the mark of a process on this machine.

    Raises
    ------
    psutil.NoSuchProcess
        If it is gone.
    """
    return ProcessMark(
        pid=pid,
        host=socket.gethostname(),
        process_started=psutil.Process(pid).create_time(),
        time=time.time(),
    )


def is_alive(mark: ProcessMark) -> bool | None:
    """Return whether a marked process lives; None where it is another machine's."""
    if mark.host != socket.gethostname():
        return None
    try:
        process = psutil.Process(mark.pid)
        same = abs(process.create_time() - mark.process_started) < SAME_START
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError, OverflowError):  # the latter for what is no process's number
        return False


class Hold:
    """A claim on a file that only one may write.

    Parameters
    ----------
    path : Path
        The file; it need not exist.
    user : str
        What others are told; the account's name where it is empty.
    """

    def __init__(self, path: Path, user: str = "") -> None:
        self.path = Path(path)
        self.mark = self.path.with_name(f"{self.path.name}.held")
        self._user = user
        self._token = ""
        self._renewed = 0.0
        self._lock = threading.Lock()

    @property
    def held(self) -> bool:
        """Whether it was taken and not let go; see `renew` for whether it still is."""
        return bool(self._token)

    def take(self) -> Holder | None:
        """Take the file, unless somebody has it.

        Returns
        -------
        Holder or None
            Who has it; None where it is ours now.

        Raises
        ------
        OutputError
            If no mark can be made there.
        """
        with self._lock:
            if self._token and self._is_ours():
                return None
            token = uuid.uuid4().hex
            with contextlib.suppress(OSError):
                self.mark.parent.mkdir(parents=True, exist_ok=True)
            for _ in range(3):
                before = holder_of(self.path)
                if before is not None and self._counts(before):
                    return before
                if before is not None or self.mark.exists():
                    self._put_aside(before)
                if write_first(self.mark, self._content(token)):
                    self._token = token
                    self._renewed = time.monotonic()
                    _ours.add(token)
                    return None
            return holder_of(self.path)

    def renew(self) -> bool:
        """Say that it is still held, if it is time to; False where it is somebody else's by now.

        A computer that slept may find that another one took the file meanwhile.
        """
        with self._lock:
            if not self._token:
                return False
            if time.monotonic() - self._renewed < RENEW_SECONDS:
                return True
            if not self._is_ours():
                self._forget()
                return False
            with contextlib.suppress(OutputError):
                write_text(self.mark, self._content(self._token), make_folder=False)
                self._renewed = time.monotonic()
            return True

    def release(self) -> None:
        """Let the file go."""
        with self._lock:
            if self._token and self._is_ours():
                with contextlib.suppress(OSError):
                    self.mark.unlink(missing_ok=True)
            self._forget()

    def __del__(self) -> None:
        # A task whose result nobody waited for must leave nothing held behind.
        with contextlib.suppress(Exception):
            self.release()

    def _forget(self) -> None:
        _ours.discard(self._token)
        self._token = ""

    def _is_ours(self) -> bool:
        now = holder_of(self.path)
        return now is not None and now.token == self._token

    def _content(self, token: str) -> str:
        mark = mark_of(os.getpid())
        holder = Holder(**mark.model_dump(), user=self._user.strip() or _account(), token=token)
        return holder.model_dump_json(indent=2) + "\n"

    def _counts(self, holder: Holder) -> bool:
        alive = is_alive(holder)
        if alive is None:
            return _age(self.mark) < SILENT_SECONDS
        # A mark with our number that we do not hold came along with a copied folder.
        return alive and (holder.pid != os.getpid() or holder.token in _ours)

    def _put_aside(self, stale: Holder | None) -> None:
        """Take a mark that counts no more away, and no other one that came in its place."""
        aside = self.mark.with_name(f"{SCRATCH}{uuid.uuid4().hex}.held")
        with contextlib.suppress(OSError):
            self.mark.rename(aside)
            taken = _read(aside)
            if taken is not None and (stale is None or taken.token != stale.token):
                # Somebody was quicker: what was moved is theirs.
                with contextlib.suppress(FileExistsError):
                    os.link(aside, self.mark)
            aside.unlink()


def holder_of(path: Path) -> Holder | None:
    """Return who has marked a file, alive or not; None where nobody has."""
    path = Path(path)
    return _read(path.with_name(f"{path.name}.held"))


def _read(mark: Path) -> Holder | None:
    try:
        return Holder.model_validate_json(read_bytes(mark))
    except (OSError, ValidationError):
        return None


def _age(mark: Path) -> float:
    """Return the seconds since a file was written, both times by the clock of the disk that it lies on."""
    probe = mark.with_name(f"{SCRATCH}{uuid.uuid4().hex}")
    try:
        probe.touch()
        now = probe.stat().st_mtime
    except OSError:
        now = time.time()
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
    try:
        return now - mark.stat().st_mtime
    except OSError:
        return float("inf")


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""
