"""Devices as people call them, and which ones there are likely to be."""

from __future__ import annotations

import sys

DEVICE_TITLES = {"auto": "Automatic", "cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (Apple Metal)"}


def device_title(name: str) -> str:
    """Return how a device such as ``cuda:1`` is called."""
    kind, _, number = name.partition(":")
    return DEVICE_TITLES.get(kind, kind) + (f" {number}" if number else "")


def likely_devices() -> list[str]:
    """Return the devices to offer before a model was loaded.

    Which there are is known to torch only, and asking it would load it.
    """
    return ["cpu", "mps"] if sys.platform == "darwin" else ["cpu", "cuda"]
