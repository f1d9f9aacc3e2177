"""How much memory something takes at most: of this process while it works, or of another one."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

import psutil

from napari_rdl.errors import NapariRdlError

_Result = TypeVar("_Result")
_EVERY_SECONDS = 0.005


def peak_while(work: Callable[[], _Result]) -> tuple[_Result, float, float]:
    """Return what `work` returns, its seconds, and by how many MB this process grew at most meanwhile."""
    process = psutil.Process()
    before = process.memory_info().rss
    highest = [before]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_EVERY_SECONDS):
            highest.append(max(highest.pop(), process.memory_info().rss))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = perf_counter()
    try:
        result = work()
    finally:
        seconds = perf_counter() - started
        ended.set()
        watcher.join()
    return result, seconds, (highest[0] - before) / 1e6


def peak_of_process(command: list[str]) -> tuple[float, str, float]:
    """Run another process; return its seconds, its stdout and its peak memory in MB.

    Raises
    ------
    NapariRdlError
        If it fails.
    """
    started = perf_counter()
    child = psutil.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    highest = [0]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_EVERY_SECONDS):
            try:
                highest.append(max(highest.pop(), child.memory_info().rss))
            except psutil.Error:
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    said, complaints = child.communicate()
    seconds = perf_counter() - started
    ended.set()
    watcher.join()
    if child.returncode:
        last = complaints.strip().splitlines()[-1:] or ["it does not say why"]
        raise NapariRdlError(f"{command[0]} failed: {last[0]}")
    return seconds, said, highest[0] / 1e6
