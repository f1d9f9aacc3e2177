"""The state of a run, to the bit: tensors as safetensors, everything else as JSON in their header."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BaseModel, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from napari_rdl.errors import CheckpointError, ConfigError, first_fault
from napari_rdl.files import parse_json, write_bytes
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.step.stepper import Stepper

STATE_KEY = "napari-rdl-training-state"


@dataclass
class Position:
    """Where a run stands, beside its tensors.

    Attributes
    ----------
    step : int
        Optimiser steps taken.
    best : float
        Best mean validation Dice so far; -1 before the first validation.
    metrics_size : int
        Bytes of ``metrics.jsonl`` that belong to these steps.
    sums, counted : list of float, int
        Losses since the last line of metrics, and of how many steps.
    seconds : float
        Time spent training, validation and checkpoints included, pauses not.
    crops, half_crops : Counter
        Name of a patient -> how many crops were trained on, and how many of those of a healthy half.
    """

    step: Annotated[int, Field(ge=0)] = 0
    best: float = -1.0
    metrics_size: Annotated[int, Field(ge=0)] = 0
    sums: list[float] = field(default_factory=list)
    counted: Annotated[int, Field(ge=0)] = 0
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    crops: Counter[str] = field(default_factory=Counter)
    half_crops: Counter[str] = field(default_factory=Counter)


class _Random(BaseModel):
    """States of the generators that are no tensors."""

    python: tuple[int, list[int], float | None]
    numpy: tuple[str, list[Annotated[int, Field(ge=0, lt=2**32)]], int, int, float]


class _About(BaseModel):
    """What stands beside a state's tensors; one of an older version knows less."""

    config: str
    position: Position
    param_groups: list[dict[str, Any]]
    optimizer_scalars: dict[Annotated[str, Field(pattern=r"^\d{1,9}$")], dict[str, Any]]
    scaler: dict[str, Any]
    random: _Random


def config_digest(config: TrainingConfig) -> str:
    """Return a hash of what a configuration sets.

    A setting that a later version adds is not set in a run folder of this one, whose hash stays.
    """
    return hashlib.sha256(config.model_dump_json(exclude_unset=True).encode()).hexdigest()


def save_state(path: Path, config: TrainingConfig, position: Position, stepper: Stepper) -> None:
    """Write the state atomically; on failure the one before stays.

    Raises
    ------
    OutputError
        If it cannot be written, for instance on a full disk.
    """
    objective, average = stepper.objective, stepper.average
    tensors = {f"model/{name}": value for name, value in objective.state_dict().items()}
    if average is not None:
        tensors |= {f"average/{name}": value for name, value in average.state_dict().items()}
    state = stepper.optimizer.optimizer.state_dict()
    scalars: dict[str, dict[str, Any]] = {}
    for index, entries in state["state"].items():
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{index}/{key}"] = value
            else:
                scalars.setdefault(str(index), {})[key] = value
    tensors["random/torch"] = torch.get_rng_state()
    for device in range(torch.cuda.device_count() if torch.cuda.is_initialized() else 0):
        tensors[f"random/cuda/{device}"] = torch.cuda.get_rng_state(device)
    version, words, gauss = random.getstate()
    name, keys, place, has_gauss, cached = np.random.get_state(legacy=True)  # noqa: NPY002 - what libraries draw from
    about = {
        "config": config_digest(config),
        "position": vars(position),
        "param_groups": state["param_groups"],
        "optimizer_scalars": scalars,
        "scaler": {} if stepper.scaler is None else stepper.scaler.state_dict(),
        "random": {
            "python": [version, list(words), gauss],
            "numpy": [str(name), np.asarray(keys).tolist(), int(place), int(has_gauss), float(cached)],
        },
    }
    # Every tensor gets storage of its own: safetensors refuses shared memory.
    content = save(
        {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()},
        metadata={STATE_KEY: json.dumps(about)},
    )
    # A run folder that is gone was moved: a second one in its place would hide that.
    write_bytes(path, content, make_folder=False)


def load_state(path: Path, config: TrainingConfig, stepper: Stepper) -> Position:
    """Put a saved state back, random number generators included, and return where the run stands.

    Raises
    ------
    CheckpointError
        If the file is missing or damaged.
    ConfigError
        If it belongs to another configuration.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = _About.model_validate(parse_json((file.metadata() or {})[STATE_KEY]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"There is no state to resume from at {path}.") from None
    except ValidationError as error:
        where, what = first_fault(error)
        raise CheckpointError(
            f"{path} cannot be read as a run's state ({where or 'all of it'}: {what})."
        ) from error
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as a run's state ({error}).") from error
    if about.config != config_digest(config):
        raise ConfigError(
            f"{path.parent / 'config.json'} is not the configuration that this run was started with: "
            "restore it, or start a new run."
        )
    try:
        _put_back(about, tensors, stepper)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        # What libraries say of tensors that are not theirs may be pages long.
        first = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"{path} does not hold the state of this run ({first}).") from error
    return about.position


def _put_back(about: _About, tensors: dict[str, Tensor], stepper: Stepper) -> None:
    stepper.objective.load_state_dict(_under(tensors, "model/"))
    states: dict[int, dict[str, Any]] = {}
    for name, value in _under(tensors, "optimizer/").items():
        index, key = name.split("/")
        states.setdefault(int(index), {})[key] = value
    for index, entries in about.optimizer_scalars.items():
        states.setdefault(int(index), {}).update(entries)
    stepper.optimizer.optimizer.load_state_dict({"state": states, "param_groups": about.param_groups})
    torch.set_rng_state(tensors["random/torch"])
    for index, value in _under(tensors, "random/cuda/").items():
        if int(index) < torch.cuda.device_count():
            torch.cuda.set_rng_state(value, int(index))
    version, words, gauss = about.random.python
    random.setstate((version, tuple(words), gauss))
    name, keys, place, has_gauss, cached = about.random.numpy
    np.random.set_state((name, np.array(keys, np.uint32), place, has_gauss, cached))  # noqa: NPY002
    if stepper.average is not None:
        stepper.average.load_state_dict(_under(tensors, "average/"))
    if about.scaler and stepper.scaler is not None:
        stepper.scaler.load_state_dict(about.scaler)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
