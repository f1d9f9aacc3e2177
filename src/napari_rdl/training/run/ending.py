"""How a run ends: signals, the log, and problems that are said plainly and left in the run folder."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from napari_rdl.errors import DeviceError, NapariRdlError
from napari_rdl.segment.ladder import is_out_of_memory
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.run.folder import RunFolder
from napari_rdl.training.run.running import Ended, write_ended
from napari_rdl.training.step.state import Position
from napari_rdl.training.step.trainer import Trainer

logger = logging.getLogger(__name__)


@contextmanager
def recorded_problems(trainer: Trainer, folder: RunFolder) -> Iterator[None]:
    """Leave in the run folder why a run broke off, for whoever watches it from elsewhere."""
    position = trainer.position
    try:
        with said_plainly(trainer.config, position):
            yield
    except Exception as error:
        expected = isinstance(error, NapariRdlError)
        sentence = str(error) if expected else f"{type(error).__name__}: {error}"
        logger.error("Broke off at step %d: %s", position.step, sentence)
        if trainer.is_first:
            ended = Ended(step=position.step, steps=trainer.steps, best=position.best, problem=sentence)
            write_ended(folder, ended)
        raise


@contextmanager
def said_plainly(config: TrainingConfig, position: Position | None = None) -> Iterator[None]:
    """Turn an end of memory into a sentence that says what to lower.

    Raises
    ------
    DeviceError
        If memory ran out.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        crop = " × ".join(map(str, config.data.crop))
        step = 1 if position is None else position.step + 1
        raise DeviceError(
            f"Memory ran out on {config.hardware.device} at step {step}: lower "
            f"optimizer.micro_batch (now {config.micro_batch}), data.crop (now {crop}) or network.channels "
            f"(now {', '.join(map(str, config.network.channels))})."
        ) from error


@contextmanager
def log_file(path: Path, first: bool) -> Iterator[None]:
    """Copy the program's log into the run folder; of several processes, only the first one tells of steps."""
    root = logging.getLogger("napari_rdl")
    level = root.level
    if not first:
        root.setLevel(logging.WARNING)
        try:
            yield
        finally:
            root.setLevel(level)
        return
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    # A log that cannot be written, for want of space, must not end a run.
    handler.handleError = lambda record: None  # type: ignore[method-assign]
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        # What a full disk does not take is lost, but how the run ended is not hidden by it.
        with suppress(OSError):
            handler.close()


@contextmanager
def terminations() -> Iterator[Callable[[], bool]]:
    """Turn SIGTERM and Ctrl-C into a question that is asked between steps."""
    told = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield told.is_set
        return

    def remember(number: int, frame: FrameType | None) -> None:
        del number, frame
        told.set()

    before = {number: signal.signal(number, remember) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield told.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
