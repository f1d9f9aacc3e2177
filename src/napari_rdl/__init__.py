"""Brain tumour segmentation from whatever MRI modalities a patient has.

The names below load their modules when first used, so that ``import napari_rdl`` costs nothing
and opening the plugin in napari loads no torch.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_rdl.case import Case, load_case
    from napari_rdl.errors import (
        Cancelled,
        CaseError,
        CheckpointError,
        ConfigError,
        DeviceError,
        GridsDifferError,
        JournalError,
        NapariRdlError,
        OutputError,
    )
    from napari_rdl.models import Model, load_model
    from napari_rdl.segment import Representations, Segmentation, SegmentSettings, encode

__version__ = version("napari-rdl")

# torch's threads wait for each other after every step. Awake, as OpenMP has it by default, they take the
# core from what else runs, and all subsets take three times as long beside a training; asleep they cost
# nothing. It is read when torch is loaded, and what the user has set counts.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_HOMES = {
    "Cancelled": "errors",
    "Case": "case",
    "CaseError": "errors",
    "CheckpointError": "errors",
    "ConfigError": "errors",
    "DeviceError": "errors",
    "GridsDifferError": "errors",
    "JournalError": "errors",
    "NapariRdlError": "errors",
    "OutputError": "errors",
    "load_case": "case",
    "Model": "models",
    "load_model": "models",
    "Representations": "segment",
    "SegmentSettings": "segment",
    "Segmentation": "segment",
    "encode": "segment",
}

__all__ = [
    "Cancelled",
    "Case",
    "CaseError",
    "CheckpointError",
    "ConfigError",
    "DeviceError",
    "GridsDifferError",
    "JournalError",
    "Model",
    "NapariRdlError",
    "OutputError",
    "Representations",
    "SegmentSettings",
    "Segmentation",
    "__version__",
    "encode",
    "load_case",
    "load_model",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"napari_rdl.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
