"""The same for each of a patient's images, several at once: numpy and scipy leave Python's lock meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def for_each(names: Iterable[str], work: Callable[[str], Result]) -> dict[str, Result]:
    """Return name -> what `work` makes of it, in the order of the names; the first that fails raises."""
    names = list(names)
    if len(names) < 2:
        return {name: work(name) for name in names}
    with ThreadPoolExecutor(min(len(names), os.cpu_count() or 1)) as threads:
        return dict(zip(names, threads.map(work, names), strict=True))
