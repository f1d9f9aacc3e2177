"""Which methods there are: name -> what a checkpoint of it states, and how its network is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_rdl.models.architecture import Architecture
from napari_rdl.models.gmd.config import GMDConfig
from napari_rdl.models.m3ae.config import M3AEConfig
from napari_rdl.models.mmformer.config import MMFormerConfig
from napari_rdl.models.rdl.config import NetworkConfig
from napari_rdl.models.rfnet.config import RFNetConfig

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
    joint : bool
        Whether another subset is another pass.
    """

    title: str
    architecture: type[Architecture]
    build: Callable[[Any], Network]
    joint: bool = False


def _builder(folder: str) -> Callable[[Any], Network]:
    """Return what calls ``build`` of a method's ``model.py``, which is loaded when the first is built."""

    def build(config: Any) -> Network:
        made: Network = import_module(f"napari_rdl.models.{folder}.model").build(config)
        return made

    return build


METHODS: dict[str, Method] = {
    "rdl": Method("Robust divergence learning (Cheng et al., 2024)", NetworkConfig, _builder("rdl")),
    "rfnet": Method("RFNet (Ding et al., 2021)", RFNetConfig, _builder("rfnet"), joint=True),
    "mmformer": Method("mmFormer (Zhang et al., 2022)", MMFormerConfig, _builder("mmformer"), joint=True),
    "m3ae": Method("M3AE (Liu et al., 2023)", M3AEConfig, _builder("m3ae"), joint=True),
    "gmd": Method("GMD, or GGDM (Wang et al., 2024)", GMDConfig, _builder("gmd")),
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
