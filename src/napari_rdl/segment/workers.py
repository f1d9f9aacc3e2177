"""Many small pieces of work on the CPU: each in one thread, several at once.

Tensors of a few megabytes gain little where threads share each operation, for they wait for each other after
every one; where each thread has pieces of its own, as many are done at once as there are threads.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from threading import Barrier, Lock
from typing import TypeVar

import torch

Piece = TypeVar("Piece")
Result = TypeVar("Result")

_making = Lock()


def in_order(
    work: Callable[[Piece], Result], pieces: Iterable[Piece], device: torch.device
) -> Iterator[Result]:
    """Yield what `work` returns of each piece, in their order.

    On the CPU as many pieces are worked on at once as torch has threads, and at most that many results
    wait. A GPU's pieces are done one after the other.
    """
    count = torch.get_num_threads() if device.type == "cpu" else 1
    if count == 1:
        yield from map(work, pieces)
        return
    with _making:
        workers = _workers(count)
    begun: deque[Future[Result]] = deque()
    try:
        for piece in pieces:
            begun.append(workers.submit(work, piece))
            if len(begun) > count:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        for left in begun:
            left.cancel()


@cache
def _workers(count: int) -> ThreadPoolExecutor:
    everyone = torch.get_num_threads()
    workers = ThreadPoolExecutor(count, thread_name_prefix="napari-rdl-pieces", initializer=_work_alone)
    # All of them begin now. What torch keeps for a thread that is there stays, but the last word said is also
    # that for threads to come: they are to have what they would have had.
    together = Barrier(count + 1)
    for _ in range(count):
        workers.submit(together.wait)
    together.wait()
    torch.set_num_threads(everyone)
    return workers


def _work_alone() -> None:
    # A thread takes the number of all others when it first asks: what is set before is lost.
    torch.get_num_threads()
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    # A process that is forked has none of the threads.
    os.register_at_fork(after_in_child=_workers.cache_clear)
