"""How long work talks to whoever started it: plain functions, no signals."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called as ``progress(done, total, message)``."""

IsCancelled = Callable[[], bool]
"""Asked between steps; True ends the work with `Cancelled`."""


class Cancelled(Exception):  # noqa: N818 - a wish granted, no error
    """The work was cancelled by the one who started it; nothing was written."""


def ignore_progress(done: int, total: int, message: str) -> None:
    """Report to nobody."""


def never_cancelled() -> bool:
    """Answer that nobody cancelled."""
    return False
