"""Models of every kind, with random weights."""

from __future__ import annotations

from pathlib import Path

import torch

from napari_rdl.models import Model, ModelCard, NetworkConfig
from napari_rdl.models.rdl.model import RobustNet

from ..joint import NAME, registered, tiny_joint

KINDS = {
    "mean": ({"fusion": "mean"}, 2.0),
    "gated": ({"fusion": "gated"}, 2.0),
    "gated, patch 2": ({"fusion": "gated", "patch": 2}, 2.0),
    "deep sets": ({"fusion": "deep_sets", "embedding": 6}, 2.0),
    "deep sets, patch 2": ({"fusion": "deep_sets", "embedding": 6, "patch": 2}, 1.4),
    "deep sets, patch 2, native": ({"fusion": "deep_sets", "embedding": 6, "patch": 2}, 1.0),
    "joint": (None, 2.0),
}


def model_of(kind: str, path: Path) -> Model:
    """Return a model of random weights whose labels differ between subsets."""
    changes, spacing = KINDS[kind]
    if changes is None:
        network = tiny_joint()
        with registered():
            card = ModelCard(name=kind, method=NAME, network=network.config, spacing=(spacing,) * 3)
        return Model(network, card, path, "0" * 64)
    torch.manual_seed(5)
    config = NetworkConfig(channels=(4, 8), groups=2, **changes)
    network = RobustNet(config).eval()
    with torch.no_grad():
        network.head.weight.mul_(8)
        if network.gate is not None:
            network.gate.weight.normal_(0, 2)
        if network.deep_sets is not None:
            network.deep_sets.last.weight.normal_(0, 4)
    card = ModelCard(name=kind, network=config, spacing=(spacing,) * 3)
    return Model(network, card, path, "0" * 64)
