"""Doors of checkpoints: any byte of one, and the card within it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from napari_rdl.bench.faults.damage import (
    BYTES,
    Rng,
    of_json,
)
from napari_rdl.bench.faults.door import FileDoor


def _parts_of(checkpoint: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(checkpoint[:8], "little")
    return json.loads(checkpoint[8 : 8 + length]), checkpoint[8 + length :]


def _joined(header: dict[str, Any], tensors: bytes) -> bytes:
    content = json.dumps(header).encode()
    return len(content).to_bytes(8, "little") + content + tensors


class _Checkpoint(FileDoor):
    def make(self) -> Path:
        """Write the smallest of networks."""
        import torch

        from napari_rdl.models import ModelCard, NetworkConfig, build_network, save_model
        from napari_rdl.models.card import CARD_KEY

        torch.manual_seed(0)
        config = NetworkConfig(channels=(2, 2), groups=1)
        card = ModelCard(name="tiny", network=config, spacing=(2.0, 2.0, 2.0), trained_on="nothing")
        path = save_model(self.folder / "tiny.safetensors", build_network(config), card)
        header, tensors = _parts_of(path.read_bytes())
        # What stands by default is left out: a new field of the card shall not change the cases.
        header["__metadata__"] = {CARD_KEY: card.model_dump_json(exclude_defaults=True)}
        path.write_bytes(_joined(header, tensors))
        return path

    def open(self) -> str:
        """Load the model."""
        from napari_rdl.models import load_model

        model = load_model(self.path)
        sound = all(bool(tensor.isfinite().all()) for tensor in model.network.parameters())
        return "" if sound else "weights that are not finite"


class CheckpointBytes(_Checkpoint):
    """Any byte of a checkpoint."""

    name = "a checkpoint"
    damages = BYTES


class Card(_Checkpoint):
    """The card within a checkpoint."""

    name = "a model's card"
    damages = (of_json,)

    def damage(self, rng: Rng) -> str:
        """Put another card into the file's header."""
        header, tensors = _parts_of(self.whole)
        (key,) = header["__metadata__"]
        card, said = of_json(header["__metadata__"][key].encode(), rng)
        header["__metadata__"][key] = card.decode()
        self.path.write_bytes(_joined(header, tensors))
        return said
