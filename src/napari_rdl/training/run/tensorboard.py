"""TensorBoard events, where the `tensorboard` extra is installed."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)


class EventLog:
    """Writes scalars; does nothing without TensorBoard, and ends quietly if the disk is full."""

    def __init__(self, folder: Path, step: int) -> None:
        self._writer = None
        if importlib.util.find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            # What an interrupted run wrote after its checkpoint is shown no more.
            self._writer = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def write(self, step: int, values: Mapping[str, object], group: str) -> None:
        """Write the numbers among `values`."""
        if self._writer is None:
            return
        try:
            for name, value in values.items():
                if isinstance(value, (int, float)):
                    self._writer.add_scalar(f"{group}/{name}", value, step)
            self._writer.flush()
        except OSError as error:
            logger.warning("TensorBoard events cannot be written any more (%s).", error.strerror)
            self._writer = None

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            # As in `write`: a full disk.
            with suppress(OSError):
                self._writer.close()
