"""Checkpoints of the published methods, as their authors saved them, made into ours."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_rdl.errors import CheckpointError
from napari_rdl.files import is_file
from napari_rdl.models.card import ModelCard
from napari_rdl.models.names import renamed
from napari_rdl.models.registry import METHODS, build_network

PUBLISHED = ("rfnet", "mmformer", "m3ae", "gmd")
"""The methods whose checkpoints are known."""

_WHERE = ("state_dict", "model_state_dict", "model")
"""Where a saved dictionary may hold the tensors, if it is not they itself."""

_SHOWN = 3


def import_checkpoint(
    method: str,
    path: str | Path,
    *,
    name: str | None = None,
    trained_on: str = "",
    width: int | None = None,
    subsets: Iterable[str] = (),
) -> tuple[nn.Module, ModelCard]:
    """Read a published method's checkpoint.

    Only tensors, numbers and text are unpickled: what would run code is refused.

    Parameters
    ----------
    method : str
        One of `PUBLISHED`.
    path : str or Path
        As ``torch.save`` wrote it: the tensors, or a dictionary that holds them.
    name : str, optional
        Of the model; the file's by default.
    trained_on : str
        The data, in a sentence, for the card.
    width : int, optional
        Channels at full resolution, where not the published ones.
    subsets : iterable of str
        The only subsets that it was trained on, such as ``T1c+FLAIR``; all if empty.

    Returns
    -------
    network : Module
        In evaluation mode.
    card : ModelCard
        With the published preparation: order, axes, normalisation, tile.

    Raises
    ------
    CheckpointError
        If the file is missing or unreadable, would run code, or holds another architecture.
    """
    path = Path(path)
    if method not in PUBLISHED:
        raise CheckpointError(
            f"No checkpoints of {method!r} are known: those of {', '.join(PUBLISHED)} can be imported."
        )
    published = import_module(f"napari_rdl.models.{method}.published")
    state = read_tensors(path)
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    try:
        config = published.architecture(shapes, width)
    except ValueError:
        raise CheckpointError(f"A {METHODS[method].title} cannot have the width {width}.") from None
    with torch.device("meta"):
        expected = build_network(config).state_dict()
    tensors = _mapped(state, expected, published, config, path, METHODS[method].title)
    network = build_network(config)
    network.load_state_dict(tensors)
    network.eval().requires_grad_(False)
    card = ModelCard(
        name=name or path.stem,
        method=method,
        network=config,
        spacing=(1.0, 1.0, 1.0),
        tile=max(published.TILE, config.stride),
        normalization=published.NORMALIZATION,
        trained_on=trained_on
        or f"what {path.name} was trained on; imported, public code: {published.SOURCE}",
        trained_subsets=tuple(subsets),
    )
    return network, card


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors that a PyTorch checkpoint holds, by name; nothing in it is run.

    Raises
    ------
    CheckpointError
        If it is missing, is none, or would run code.
    """
    if not is_file(path):
        raise CheckpointError(
            f"There is no checkpoint at {path}: give the path of a file that torch.save wrote."
        )
    try:
        with torch.serialization.safe_globals(_harmless()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Unsupported global" in str(error) or "GLOBAL" in str(error):
            raise CheckpointError(
                f"{path} holds more than tensors, numbers and text, and reading that could run code: it was "
                "not opened, so save its state_dict alone."
            ) from error
        raise CheckpointError(
            f"{path} cannot be read as a PyTorch checkpoint: give an unaltered one."
        ) from error
    except (
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
    ) as error:
        raise CheckpointError(
            f"{path} cannot be read as a PyTorch checkpoint: give an unaltered one."
        ) from error
    if isinstance(content, Mapping):
        content = next((content[key] for key in _WHERE if isinstance(content.get(key), Mapping)), content)
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds no tensors by name: give a state_dict, or what contains one.")
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise CheckpointError(f"{path} holds no tensors by name: give a state_dict, or what contains one.")
    return tensors


def _mapped(
    state: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    published: ModuleType,
    config: Any,
    path: Path,
    title: str,
) -> dict[str, Tensor]:
    """Return our tensors by our names, each from theirs; refuse what does not fit."""
    rules = published.rules(config)
    theirs = {name: renamed(name, rules) for name in expected}
    state = _unwrapped(state, set(theirs.values()))
    missing = sorted(set(theirs.values()) - state.keys())
    left_over = sorted(state.keys() - set(theirs.values()))
    if missing or left_over:
        parts = [f"lacks {_some(missing)}"] if missing else []
        parts += [f"has {_some(left_over)} that it does not know"] if left_over else []
        raise CheckpointError(f"{path} is no checkpoint of {title}: it {' and '.join(parts)}.")
    tensors = {}
    for name, like in expected.items():
        found = state[theirs[name]]
        if found.shape != like.shape:
            raise CheckpointError(
                f"{path} has another width or number of classes than {title} as published: "
                f"{theirs[name]} has the shape {tuple(found.shape)} in the place of {tuple(like.shape)}."
            )
        if not torch.isfinite(found).all():
            raise CheckpointError(
                f"{path} holds values that are not finite in {theirs[name]}: use another checkpoint."
            )
        tensors[name] = found.to(like.dtype)
    return tensors


def _unwrapped(state: Mapping[str, Tensor], wanted: set[str]) -> Mapping[str, Tensor]:
    """Return the tensors without the ``module.`` that training on several GPUs puts before each name."""
    if wanted & state.keys() or not all(name.startswith("module.") for name in state):
        return state
    return {name.removeprefix("module."): value for name, value in state.items()}


def _some(names: list[str]) -> str:
    """Return a few names and how many there are."""
    shown = ", ".join(names[:_SHOWN])
    return f"{len(names)} tensors ({shown}{', …' if len(names) > _SHOWN else ''})"


def _harmless() -> list[Any]:
    """Return what makes a NumPy number of a pickle: scores stand beside some checkpoints' tensors."""
    scalar = np.float64(0).__reduce__()[0]
    floats = [type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64)]
    return [
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        np.dtype,
        *floats,
    ]
