"""How long work talks to whoever started it: plain functions, no signals."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called as ``progress(done, total, message)``."""

IsCancelled = Callable[[], bool]
"""Asked between steps; True ends the work with `napari_rdl.errors.Cancelled`."""


def ignore_progress(done: int, total: int, message: str) -> None:
    """Report to nobody."""


def never_cancelled() -> bool:
    """Answer that nobody cancelled."""
    return False
