"""Which losses a method trains by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_rdl.training.config import LossConfig, MethodConfig
from napari_rdl.training.losses.comparison import ComparisonObjective, DecoupledObjective, FusedObjective
from napari_rdl.training.losses.masked import ConsistentObjective, RestoringObjective
from napari_rdl.training.losses.total import Objective

_OBJECTIVES: dict[tuple[str, str], Callable[[Any, MethodConfig, LossConfig], ComparisonObjective]] = {
    ("rfnet", "segment"): FusedObjective,
    ("mmformer", "segment"): FusedObjective,
    ("m3ae", "masked"): RestoringObjective,
    ("m3ae", "segment"): ConsistentObjective,
    ("gmd", "segment"): DecoupledObjective,
}
"""By method and stage."""


def make_objective(network: Any, loss: LossConfig, method: MethodConfig) -> Objective | ComparisonObjective:
    """Return a network with the losses of its method."""
    if method.name == "rdl":
        return Objective(network, loss)
    return _OBJECTIVES[method.name, method.stage](network, method, loss)
