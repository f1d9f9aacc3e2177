"""Learning from corrections: the done patients of a worklist train a model further, beside phantoms.

The run begins with finished weights and their architecture, at a small rate, and half of its visits go to
synthetic patients, so that what the model knows is not forgotten. Some done patients are kept aside, for
`before_after`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from napari_rdl.cohort.worklist_file import is_worklist
from napari_rdl.errors import ConfigError
from napari_rdl.models import DefaultArchitecture
from napari_rdl.training.before_after import SYNTHETIC_SEED
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.recipe import load_recipe

_CROP = 64
_SETTINGS = {
    "data__crops_per_visit": 2,
    "loss__mutual_information": 0.0,
    "loss__region_dice": 1.0,
    "loss__absent_voxels": 100.0,
    "augment__flip": 0.5,
    "augment__shift": 0.2,
    "augment__scale": 0.2,
    "augment__gamma": 0.3,
    "augment__noise": 0.2,
    "augment__blur": 0.15,
    "augment__bias": 0.2,
    "augment__affine": 0.3,
    "optimizer__lr": 1e-4,
    "optimizer__batch": 1,
    "optimizer__max_steps": 240,
    "optimizer__warmup": 20,
    "optimizer__clip": 8.0,
    "optimizer__ema_decay": 0.98,
    "validation__every": 1_000_000,
    "run__checkpoint_every": 40,
    "run__log_every": 5,
}


def learning_config(
    worklist: str | Path, start: str | None = None, changes: Iterable[str] = (), **more: Any
) -> TrainingConfig:
    """Return the configuration of a run that learns from a worklist.

    Parameters
    ----------
    worklist : str or Path
        Its done patients, with their corrected labels.
    start : str, optional
        A checkpoint to begin with; the shipped weights if left out.
    changes : iterable of str
        ``key=value`` pairs that win over everything here.
    **more
        Further settings, as `load_recipe` takes them.

    Raises
    ------
    CheckpointError
        If the checkpoint cannot be read.
    ConfigError
        If a change does not fit, or the checkpoint's method cannot be trained further here.
    """
    from napari_rdl.models import bundled_models, model_path, read_card

    changes = list(changes)
    for change in changes:
        key, _, value = change.partition("=")
        if key.strip() == "start_from":
            start = value.strip().strip("\"'")
    start = start or bundled_models()[0]
    card = read_card(model_path(start))
    if card.method != "rdl":
        raise ConfigError(
            f"{card.name} is of the method {card.method}, which cannot learn from corrections yet: begin "
            "with weights of the method rdl."
        )
    network = DefaultArchitecture.model_validate(card.network.model_dump())
    # Training crops divide by the stride. Weights may be used on larger tiles than they are trained on.
    edge = max(min(card.tile, _CROP) // network.stride, 1) * network.stride
    settings: dict[str, Any] = {
        **_SETTINGS,
        **more,
        "name": f"{card.name}, learnt from {Path(worklist).stem}",
        "start_from": start,
        "network": network.model_dump(mode="json"),
        "data__spacing": list(card.spacing),
        "data__crop": [edge] * 3,
        "validation__tile": max(card.tile // network.stride, 1) * network.stride,
        "data__sources": [
            {"source": str(worklist), "share": 0.5},
            {"source": "phantom:48", "share": 0.5, "first_seed": SYNTHETIC_SEED // 2},
        ],
    }
    given = {change.partition("=")[0].strip() for change in changes}
    own = {key: value for key, value in settings.items() if key.replace("__", ".") not in given}
    return load_recipe(None, changes, **own)


def learns(config: TrainingConfig) -> bool:
    """Return whether a run begins with finished weights and trains on a worklist."""
    return config.start_from is not None and any(
        is_worklist(source.source) for source in config.data.every_source
    )
