"""The machine that something was measured on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import psutil
from pydantic import BaseModel, ConfigDict

from napari_rdl.machine import processor_name, usable_cores

_NAMED = ("napari-rdl", "torch", "numpy", "napari", "PyQt6", "PySide6")


class Machine(BaseModel):
    """A machine, as a reader would compare it with another.

    Attributes
    ----------
    gpu : str or None
        None where torch sees none.
    load : float
        How many processes wanted a core in the minute before, on average.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    processor: str
    cores: int
    memory_gb: float
    gpu: str | None
    system: str
    python: str
    versions: dict[str, str]
    load: float

    def in_words(self) -> str:
        """Return one sentence without its full stop."""
        gpu = self.gpu or "no GPU"
        known = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return (
            f"{self.processor}, {self.cores} cores, {self.memory_gb:.0f} GB, {gpu}; {self.system}, "
            f"Python {self.python}, {known}; {self.load:.1f} processes at work in the minute before"
        )


def this_machine() -> Machine:
    """Return the machine that this runs on."""
    import torch

    return Machine(
        processor=processor_name(),
        cores=usable_cores(),
        memory_gb=psutil.virtual_memory().total / 1e9,
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        system=platform.system(),
        python=platform.python_version(),
        versions={name: number for name in _NAMED if (number := _version(name))},
        load=psutil.getloadavg()[0],
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
