"""A tiny joint network: it looks at a subset's images together, as the paper's comparison methods do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from napari_rdl.models import METHODS, Architecture, JointNetwork, Method, ModelCard, save_model

NAME = "tiny-joint"


class TinyJointConfig(Architecture):
    """Its architecture."""

    width: int = 4

    @property
    def stride(self) -> int:
        return 2


class TinyJoint(JointNetwork):
    """Two convolutions over all modalities side by side; absent ones are zeros, and a flag says so."""

    passes = 0

    def __init__(self, config: TinyJointConfig) -> None:
        super().__init__()
        self.config = config
        self.first = nn.Conv3d(2 * len(config.modalities), config.width, 3, padding=1)
        self.second = nn.Conv3d(config.width, len(config.classes), 1)

    def logits(self, images: Mapping[str, Tensor]) -> Tensor:
        TinyJoint.passes += 1
        one = next(iter(images.values()))
        channels = [images.get(name, torch.zeros_like(one)) for name in self.config.modalities]
        flags = [torch.full_like(one, float(name in images)) for name in self.config.modalities]
        return self.second(torch.relu(self.first(torch.cat((*channels, *flags), 1))))


METHOD = Method("A tiny joint network", TinyJointConfig, TinyJoint)


@contextmanager
def registered() -> Iterator[None]:
    """Register the method for as long as this lasts."""
    METHODS[NAME] = METHOD
    try:
        yield
    finally:
        del METHODS[NAME]


def tiny_joint() -> TinyJoint:
    """Return one whose labels differ between subsets."""
    torch.manual_seed(2)
    network = TinyJoint(TinyJointConfig()).eval()
    with torch.no_grad():
        network.second.weight.mul_(8)
    return network


def save_tiny_joint(folder: Path) -> Path:
    """Write its checkpoint; the method must be registered."""
    network = tiny_joint()
    card = ModelCard(name="joint", method=NAME, network=network.config, spacing=(2.0, 2.0, 2.0))
    return save_model(folder / "joint.safetensors", network, card)
