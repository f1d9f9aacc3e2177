"""What answers for a subset of the modalities: the methods, their face, and their checkpoints.

Names load their modules when first used: reading a model card, as the plugin does, loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_rdl.models.architecture import Architecture
    from napari_rdl.models.base import JointNetwork, Network, Place, SeparableNetwork, TrainedNetwork
    from napari_rdl.models.card import (
        ModelCard,
        bundled_model_path,
        bundled_model_with,
        bundled_models,
        bundled_name,
        model_path,
        read_card,
    )
    from napari_rdl.models.checkpoint import Model, load_model, model_bytes, save_model
    from napari_rdl.models.expectation import (
        CalibrationError,
        DataSource,
        Expectation,
        ExpectedDice,
        FalseTumour,
    )
    from napari_rdl.models.rdl.combination import fuse_features, weigh
    from napari_rdl.models.rdl.config import NetworkConfig
    from napari_rdl.models.rdl.model import ModalityOutput
    from napari_rdl.models.registry import METHODS, DefaultArchitecture, Method, build_network

_HOMES = {
    "Architecture": "architecture",
    "JointNetwork": "base",
    "Network": "base",
    "Place": "base",
    "SeparableNetwork": "base",
    "TrainedNetwork": "base",
    "METHODS": "registry",
    "DefaultArchitecture": "registry",
    "Method": "registry",
    "build_network": "registry",
    "ModelCard": "card",
    "bundled_model_path": "card",
    "bundled_model_with": "card",
    "bundled_models": "card",
    "bundled_name": "card",
    "model_path": "card",
    "read_card": "card",
    "Model": "checkpoint",
    "load_model": "checkpoint",
    "model_bytes": "checkpoint",
    "save_model": "checkpoint",
    "CalibrationError": "expectation",
    "DataSource": "expectation",
    "Expectation": "expectation",
    "ExpectedDice": "expectation",
    "FalseTumour": "expectation",
    "fuse_features": "rdl.combination",
    "weigh": "rdl.combination",
    "NetworkConfig": "rdl.config",
    "ModalityOutput": "rdl.model",
}

__all__ = [
    "METHODS",
    "Architecture",
    "CalibrationError",
    "DataSource",
    "DefaultArchitecture",
    "Expectation",
    "ExpectedDice",
    "FalseTumour",
    "JointNetwork",
    "Method",
    "ModalityOutput",
    "Model",
    "ModelCard",
    "Network",
    "NetworkConfig",
    "Place",
    "SeparableNetwork",
    "TrainedNetwork",
    "build_network",
    "bundled_model_path",
    "bundled_model_with",
    "bundled_models",
    "bundled_name",
    "fuse_features",
    "load_model",
    "model_bytes",
    "model_path",
    "read_card",
    "save_model",
    "weigh",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"napari_rdl.models.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
