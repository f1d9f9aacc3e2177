"""Which methods there are: name -> what a checkpoint of it states, and how its network is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_rdl.models.architecture import Architecture
from napari_rdl.models.rdl.config import NetworkConfig

if TYPE_CHECKING:
    from napari_rdl.models.base import Network


@dataclass(frozen=True)
class Method:
    """A way of answering for a subset of the modalities.

    Attributes
    ----------
    title : str
        As a reader of papers knows it.
    architecture : type of Architecture
        What its checkpoints state.
    build : callable
        Makes the network of an architecture, with fresh weights. It may load torch; this module does not.
    """

    title: str
    architecture: type[Architecture]
    build: Callable[[Any], Network]


def _build_rdl(config: NetworkConfig) -> Any:
    from napari_rdl.models.rdl.model import RobustNet

    return RobustNet(config)


METHODS: dict[str, Method] = {
    "rdl": Method("Robust divergence learning (Cheng et al., 2024)", NetworkConfig, _build_rdl),
}
"""All methods by the name that a model card has."""

DefaultArchitecture = NetworkConfig
"""What a training trains, unless its recipe names another method."""


def method_of(architecture: Architecture) -> str:
    """Return the name of the method that has such an architecture.

    Raises
    ------
    KeyError
        If none does.
    """
    for name, method in METHODS.items():
        if type(architecture) is method.architecture:
            return name
    raise KeyError(type(architecture).__name__)


def build_network(architecture: Architecture) -> Network:
    """Return a network of this architecture with fresh weights."""
    return METHODS[method_of(architecture)].build(architecture)
