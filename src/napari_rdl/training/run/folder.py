"""A run is a folder: what was asked, where it ran, what happened, and the weights."""

from __future__ import annotations

import json
import logging
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from napari_rdl.errors import ConfigError, OutputError, Remedy
from napari_rdl.files import (
    SCRATCH,
    is_folder,
    is_scratch,
    is_there,
    parse_json,
    read_bytes,
    refuse_unusable_folder,
    write_json,
)
from napari_rdl.machine import processor_name
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.recipe import validate_config

logger = logging.getLogger(__name__)

PACKAGES = ("napari-rdl", "torch", "monai", "lightning", "numpy", "nibabel", "safetensors", "pydantic")


class RunFolder:
    """Names and files of a run.

    ``config.json`` resolved configuration · ``split.json`` patients · ``environment.json`` versions ·
    ``train.log`` · ``metrics.jsonl`` · ``tensorboard/`` · ``state.safetensors`` to resume from ·
    ``last.safetensors`` and ``best.safetensors`` models · ``preview.png`` an example with its
    prediction · ``visits.json`` who was trained on how often ·
    ``running.json`` who trains here now · ``ended.json`` how the last one ended.

    Others may write: ``STOP`` ends the run, ``PAUSE`` holds it for as long as it lies there,
    ``KILLED`` says that its process was ended on purpose;
    ``request.json``, ``output.log`` and ``status.json`` belong to the program that started the run.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.split = self.path / "split.json"
        self.environment = self.path / "environment.json"
        self.log = self.path / "train.log"
        self.metrics = self.path / "metrics.jsonl"
        self.tensorboard = self.path / "tensorboard"
        self.state = self.path / "state.safetensors"
        self.last = self.path / "last.safetensors"
        self.best = self.path / "best.safetensors"
        self.preview = self.path / "preview.png"
        self.visits = self.path / "visits.json"
        self.running = self.path / "running.json"
        self.ended = self.path / "ended.json"
        self.stop = self.path / "STOP"
        self.pause = self.path / "PAUSE"
        self.killed = self.path / "KILLED"
        self.request = self.path / "request.json"
        self.output = self.path / "output.log"
        self.status = self.path / "status.json"

    def require_new(self) -> None:
        """Refuse a folder that holds anything but what the program that starts the run has put there.

        Raises
        ------
        OutputError
            If the folder exists and is not empty, or none can be made there.
        """
        refuse_unusable_folder(self.path)
        started_with = {self.request.name, self.output.name, self.status.name}
        if is_there(self.path) and (
            not is_folder(self.path)
            or any(
                item.name not in started_with and not is_scratch(item.name) for item in self.path.iterdir()
            )
        ):
            raise OutputError(f"{self.path} is not empty", Remedy.NEW_OR_RESUME, folder=self.path)

    def create(self, config: TrainingConfig, split: dict[str, object]) -> None:
        """Write what is known at the start.

        Raises
        ------
        OutputError
            If the folder cannot be written.
        """
        write_json(self.split, split)
        write_json(self.environment, environment())
        # Last: a folder with a configuration is a run.
        write_json(self.config, config.model_dump(mode="json"))

    def tidy(self) -> None:
        """Take away what an end by force left behind, word of the last end, and wishes obeyed."""
        for path in (self.ended, self.stop, self.pause, self.killed):
            path.unlink(missing_ok=True)
        for leftover in self.path.glob(f"{SCRATCH}*"):
            leftover.unlink(missing_ok=True)

    def require_there(self) -> None:
        """Refuse to go on in a folder that was moved or deleted: writing would make a second one.

        Raises
        ------
        OutputError
            If the run is no longer at its place.
        """
        try:
            self.config.stat()
        except FileNotFoundError:
            raise OutputError(
                f"The run folder {self.path} was moved or deleted while the run went on", Remedy.RESUME_MOVED
            ) from None
        except OSError as error:
            logger.warning("%s cannot be looked at now (%s).", self.path, error.strerror)

    def require_same_patients(self, split: dict[str, object]) -> None:
        """Refuse to go on with other patients than those the run was started with.

        Raises
        ------
        ConfigError
            If the patients differ.
        """
        try:
            before = parse_json(read_bytes(self.split, 2**28))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self.split} cannot be read ({error}).") from None
        if not isinstance(before, dict):
            raise ConfigError(f"{self.split} is no list of patients: restore it, or start a new run.")
        for part in ("train", "validation"):
            if before.get(part) != split[part]:
                raise ConfigError(
                    f"The {part} patients are no longer those of {self.split}: restore them, "
                    "or start a new run."
                )

    def read_config(self) -> TrainingConfig:
        """Return the run's configuration.

        Raises
        ------
        ConfigError
            If the folder is no run.
        """
        try:
            values = parse_json(read_bytes(self.config))
        except FileNotFoundError:
            raise ConfigError(f"{self.path} is no run folder: it has no config.json.") from None
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self.config} cannot be read ({error}).") from None
        return validate_config(values, str(self.config))


def environment() -> dict[str, Any]:
    """Return versions and machine, for the record."""
    import torch

    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "versions": versions,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor_name(),
        "cpus": os.cpu_count(),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "command": sys.argv,
    }


class MetricsLog:
    """``metrics.jsonl``: only grows, and is cut back to the checkpoint when a run is resumed.

    A full disk does not end the run: lines wait in memory until they can be written.
    """

    def __init__(self, path: Path, size: int | None = None) -> None:
        self.path = path
        self._waiting = b""
        self._complained = False
        if size is not None and is_there(path) and path.stat().st_size > size:
            os.truncate(path, size)
        self._size = path.stat().st_size if is_there(path) else 0

    @property
    def size(self) -> int:
        """Bytes that are safely on disk."""
        return self._size

    def write(self, line: dict[str, Any]) -> None:
        """Append one line."""
        self._waiting += json.dumps(line).encode() + b"\n"
        try:
            with self.path.open("ab") as file:
                file.write(self._waiting)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            if not self._complained:
                logger.warning(
                    "%s cannot be written now (%s); its lines are kept in memory.", self.path, error.strerror
                )
                self._complained = True
            # No half line stays behind.
            if is_there(self.path):
                os.truncate(self.path, self._size)
            return
        self._size += len(self._waiting)
        self._waiting = b""
        self._complained = False
