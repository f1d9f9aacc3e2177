"""Checkpoints: tensors as safetensors, the model card as JSON in their header. No pickle."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from napari_rdl.errors import CheckpointError
from napari_rdl.files import write_bytes
from napari_rdl.models.base import Network
from napari_rdl.models.card import CARD_KEY, ModelCard, model_path, read_card
from napari_rdl.models.registry import build_network


@dataclass(frozen=True)
class Model:
    """A network ready to be used, with what is known of it.

    Attributes
    ----------
    network : SeparableNetwork or JointNetwork
        In evaluation mode, on the CPU.
    card : ModelCard
        What the checkpoint says of itself.
    path : Path
        Where it was read from.
    sha256 : str
        Hash of the file's bytes.
    """

    network: Network
    card: ModelCard
    path: Path
    sha256: str

    @property
    def name(self) -> str:
        """Short name of the model."""
        return self.card.name


def load_model(source: str | Path | None = None) -> Model:
    """Load a checkpoint; without `source`, the bundled one.

    Parameters
    ----------
    source : str or Path, optional
        A ``.safetensors`` file saved by napari-rdl, or the name of bundled weights (`bundled_models`).

    Raises
    ------
    CheckpointError
        If the file is missing or unreadable, or if its tensors are not exactly those of the
        architecture that its card states.
    """
    path = model_path(source)
    card = read_card(path)
    network = build_network(card.network)
    content = path.read_bytes()
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    _require_same_tensors(network.state_dict(), tensors, path)
    network.load_state_dict(tensors)
    network.eval().requires_grad_(False)
    return Model(network, card, path, hashlib.sha256(content).hexdigest())


def model_bytes(network: nn.Module, card: ModelCard) -> bytes:
    """Return a checkpoint as the bytes of a safetensors file; equal input gives equal bytes."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    return save(tensors, metadata={CARD_KEY: card.model_dump_json()})


def save_model(path: str | Path, network: nn.Module, card: ModelCard, *, make_folder: bool = True) -> Path:
    """Write a checkpoint atomically; missing folders are made unless `make_folder` is False.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    return write_bytes(path, model_bytes(network, card), make_folder=make_folder)


def _require_same_tensors(expected: dict[str, Tensor], found: dict[str, Tensor], path: Path) -> None:
    missing = sorted(expected.keys() - found.keys())
    extra = sorted(found.keys() - expected.keys())
    if missing or extra:
        parts = [f"lacks {len(missing)} tensors, such as {missing[0]!r}"] if missing else []
        parts += [f"has {len(extra)} tensors too many, such as {extra[0]!r}"] if extra else []
        raise CheckpointError(
            f"{path} {' and '.join(parts)}: it does not hold the architecture that its card states, so use "
            "an unaltered checkpoint."
        )
    for name, tensor in expected.items():
        if found[name].shape != tensor.shape:
            raise CheckpointError(
                f"{path} holds {name!r} with shape {tuple(found[name].shape)} where its card's architecture "
                f"has {tuple(tensor.shape)}: use an unaltered checkpoint."
            )
        if not torch.isfinite(found[name]).all():
            raise CheckpointError(
                f"{path} holds values that are not finite in {name!r}: use another checkpoint."
            )
