"""Checkpoints: tensors as safetensors, the model card as JSON in their header. No pickle."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from napari_rdl.errors import CheckpointError
from napari_rdl.files import write_bytes
from napari_rdl.models.base import Network
from napari_rdl.models.card import CARD_KEY, ModelCard, model_path, read_card
from napari_rdl.models.registry import build_network

_FLOATING = ("F64", "F32", "F16", "BF16")
"""Types of real numbers, as safetensors writes them."""


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
    with torch.device("meta"):
        # No memory is taken for what a card claims before the file is known to hold it.
        expected = build_network(card.network).state_dict()
    try:
        content = path.read_bytes()
        with safe_open(path, framework="pt") as file:
            _require_same_tensors(expected, file, path)
            tensors = {name: file.get_tensor(name) for name in expected}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}): use an unaltered checkpoint.") from error
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"{path} holds values that are not finite in {name!r}: use another checkpoint."
            )
    network = build_network(card.network)
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


def _require_same_tensors(expected: Mapping[str, Tensor], file: safe_open, path: Path) -> None:
    """Compare names, shapes and types by the file's header alone."""
    found = set(file.keys())
    missing = sorted(expected.keys() - found)
    extra = sorted(found - expected.keys())
    if missing or extra:
        parts = [f"lacks {len(missing)} tensors, such as {missing[0]!r}"] if missing else []
        parts += [f"has {len(extra)} tensors too many, such as {extra[0]!r}"] if extra else []
        raise CheckpointError(
            f"{path} {' and '.join(parts)}: it does not hold the architecture that its card states, so use "
            "an unaltered checkpoint."
        )
    for name, tensor in expected.items():
        stored = file.get_slice(name)
        shape, kind = tuple(stored.get_shape()), stored.get_dtype()
        if shape != tuple(tensor.shape):
            raise CheckpointError(
                f"{path} holds {name!r} with shape {shape} where its card's architecture "
                f"has {tuple(tensor.shape)}: use an unaltered checkpoint."
            )
        if tensor.is_floating_point() != (kind in _FLOATING):
            raise CheckpointError(
                f"{path} holds {name!r} as {kind}, which its card's architecture does not: "
                "use an unaltered checkpoint."
            )
