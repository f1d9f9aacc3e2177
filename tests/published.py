"""The published methods, narrow enough for tests."""

from __future__ import annotations

import torch

from napari_rdl.models import build_network
from napari_rdl.models.gmd.config import GMDConfig
from napari_rdl.models.m3ae.config import M3AEConfig
from napari_rdl.models.mmformer.config import MMFormerConfig
from napari_rdl.models.rfnet.config import RFNetConfig

TINY = {
    "rfnet": RFNetConfig(width=4),
    "mmformer": MMFormerConfig(width=1, embedding=8, hidden=8, heads=2, grid=2),
    "m3ae": M3AEConfig(width=8, substitute=(16, 16, 16)),
    "gmd": GMDConfig(width=8),
}


def tiny(method: str):
    """Return a network of random weights whose labels differ between subsets."""
    torch.manual_seed(2)
    network = build_network(TINY[method]).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim == 1 or "positions" in name:
                parameter.normal_(0, 0.5)
        if hasattr(network, "head"):
            network.head.weight.mul_(8)
            network.head.bias.zero_()
    return network.requires_grad_(False)
