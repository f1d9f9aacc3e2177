"""What a run's checkpoint says of itself."""

from __future__ import annotations

from pathlib import Path

from napari_rdl.cohort.patients import is_synthetic
from napari_rdl.models import ModelCard
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.step.validate import Scores


def run_card(config: TrainingConfig, count: int, step: int, scores: Scores) -> ModelCard:
    """Return the model card of a run's weights after `step` steps on `count` patients."""
    data = config.data
    synthetic = is_synthetic(data.source)
    kind = "synthetic" if synthetic else "training"
    # Folders of this machine are no part of a recipe.
    source = data.source if synthetic else Path(data.source).name
    recipe = config.model_dump(mode="json", exclude={"data": {"cache", "validation"}, "hardware": True})
    recipe["data"]["source"] = source
    trained_on = f"{count} {kind} patients ({source})"
    if config.start_from is not None:
        recipe["start_from"] = Path(config.start_from).name
        trained_on += f", beginning with the weights {recipe['start_from']}"
    return ModelCard(
        name=config.name,
        network=config.network,
        spacing=data.spacing,
        tile=config.tile,
        trained_on=trained_on,
        steps=step,
        recipe=recipe,
        results={"validation": scores} if scores else {},
    )
