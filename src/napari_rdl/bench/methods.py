"""What a patch costs each method, beside ours, in one run: all modalities, one, and one more subset."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median
from time import perf_counter

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from napari_rdl.callbacks import Progress, ignore_progress
from napari_rdl.errors import ConfigError
from napari_rdl.models import JointNetwork, Model, Network, SeparableNetwork, build_network, load_model
from napari_rdl.models.registry import METHODS
from napari_rdl.segment.devices import autocast, resolve_precision


class MethodTime(BaseModel):
    """How long a method takes for one patch.

    Attributes
    ----------
    method : str
        Its name in the registry.
    parameters : int
    all_seconds, one_seconds : float
        Medians: from the images of all modalities, and of one, to logits.
    more_seconds : float
        Median of what a further subset costs where all modalities have been through: for a separable network
        a sum that is read, for a joint one another pass with three of four.
    ratio : float
        Median over rounds of `all_seconds` over ours in the same round.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str
    parameters: int
    all_seconds: float
    one_seconds: float
    more_seconds: float
    ratio: float


class MethodTimes(BaseModel):
    """All methods on one machine, patches of `edge` voxels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    edge: int
    device: str
    precision: str
    threads: int
    rounds: int
    rows: tuple[MethodTime, ...]


def measure_methods(
    methods: Iterable[str],
    *,
    edge: int = 80,
    rounds: int = 3,
    device: str = "cpu",
    precision: str = "float32",
    threads: int = 1,
    model: Model | None = None,
    progress: Progress = ignore_progress,
) -> MethodTimes:
    """Time one patch of each method's network, with the numbers of modalities and widths as published.

    Weights are fresh but ours: time does not depend on them.

    Parameters
    ----------
    methods : iterable of str
        Names in the registry beside ours, ``rdl``.
    edge : int
        Of the cube, in voxels.
    rounds : int
        All methods take turns in each; one more round before is not timed.
    device : str
        ``cpu`` or ``cuda``.
    precision : str
        ``float32``, ``bf16``, ``fp16``, or ``auto`` for what our weights are used in there.
    threads : int
        Of the processor.
    model : Model, optional
        Ours; the shipped weights if left out.

    Raises
    ------
    ConfigError
        If a method is not known, or its network cannot take such a cube.
    """
    names = ["rdl", *dict.fromkeys(name for name in methods if name != "rdl")]
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        raise ConfigError(f"There is no method {unknown[0]!r}: use {', '.join(METHODS)}.")
    before = torch.get_num_threads()
    precision = resolve_precision(precision, torch.device(device))
    torch.set_num_threads(threads)
    try:
        networks = {name: _network(name, model).eval().to(device) for name in names}
        for name, network in networks.items():
            if edge % network.config.stride:
                raise ConfigError(f"{name} takes cubes whose edge is divisible by {network.config.stride}.")
        seconds: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
        for turn in range(rounds + 1):
            for place, (name, network) in enumerate(networks.items()):
                progress(turn * len(names) + place, (rounds + 1) * len(names), name)
                with autocast(torch.device(device), precision):
                    taken = _turn(network, edge, torch.device(device))
                if turn:
                    seconds[name].append(taken)
    finally:
        torch.set_num_threads(before)
    ours = [taken[0] for taken in seconds["rdl"]]
    rows = tuple(
        MethodTime(
            method=name,
            parameters=sum(parameter.numel() for parameter in networks[name].parameters()),
            all_seconds=median(taken[0] for taken in turns),
            one_seconds=median(taken[1] for taken in turns),
            more_seconds=median(taken[2] for taken in turns),
            ratio=median(taken[0] / own for taken, own in zip(turns, ours, strict=True)),
        )
        for name, turns in seconds.items()
    )
    where = torch.cuda.get_device_name() if device == "cuda" else device
    return MethodTimes(
        edge=edge, device=where, precision=precision, threads=threads, rounds=rounds, rows=rows
    )


def _network(name: str, model: Model | None) -> Network:
    return (model or load_model()).network if name == "rdl" else published_network(name)


def published_network(name: str) -> Network:
    """Return a method's network of the published size, with fresh weights."""
    return build_network(METHODS[name].architecture())


def _turn(network: Network, edge: int, device: torch.device) -> tuple[float, float, float]:
    """Return the seconds of all modalities, of one, and of a further subset."""
    names = network.config.modalities
    images = {name: torch.randn(1, 1, edge, edge, edge, device=device) for name in names}
    with torch.inference_mode():
        if isinstance(network, JointNetwork):
            whole = _seconds(lambda: network.logits(images), device)[0]
            one = _seconds(lambda: network.logits({names[0]: images[names[0]]}), device)[0]
            fewer = {name: images[name] for name in names[1:]}
            return whole, one, _seconds(lambda: network.logits(fewer), device)[0]
        whole, terms = _seconds(lambda: _all_terms(network, images), device)
        one, _ = _seconds(lambda: _all_terms(network, {names[0]: images[names[0]]}), device)
        more, _ = _seconds(lambda: network.read(_sum(terms[1:])), device)
        return whole, one, more


def _all_terms(network: SeparableNetwork, images: dict[str, Tensor]) -> list[Tensor]:
    """Pass each image on its own, and read their sum."""
    order = network.config.modalities
    device = next(iter(images.values())).device
    terms = [
        network.terms(image, torch.tensor([order.index(name)], device=device))
        for name, image in images.items()
    ]
    network.read(_sum(terms))
    return terms


def _sum(terms: list[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _seconds(work: Callable[[], list[Tensor] | Tensor], device: torch.device) -> tuple[float, list[Tensor]]:
    _wait(device)
    started = perf_counter()
    found = work()
    _wait(device)
    return perf_counter() - started, found if isinstance(found, list) else [found]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
