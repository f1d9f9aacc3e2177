"""What a run's checkpoint says of itself."""

from __future__ import annotations

from pathlib import Path

from napari_rdl.cohort.patients import is_synthetic
from napari_rdl.cohort.worklist_file import is_worklist
from napari_rdl.errors import CheckpointError
from napari_rdl.models import ModelCard, model_path, read_card
from napari_rdl.models.expectation import DataSource
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.data.sources import Patients
from napari_rdl.training.step.validate import Scores


def run_card(config: TrainingConfig, patients: Patients, step: int, scores: Scores) -> ModelCard:
    """Return the model card of a run's weights after `step` steps."""
    recipe = config.model_dump(
        mode="json", exclude={"data": {"cache", "validation", "validation_sources"}, "hardware": True}
    )
    # Folders of this machine are no part of a recipe.
    recipe["data"]["source"] = _name(config.data.source)
    for source in recipe["data"]["sources"]:
        source["source"] = _name(source["source"])
    trained_on = " and ".join(
        f"{len(source.patients)} {'synthetic' if source.synthetic else 'training'} patients "
        f"({_name(source.name)})"
        for source in patients.sources
    )
    if config.start_from is not None:
        recipe["start_from"] = Path(config.start_from).name
        trained_on += f", beginning with the weights {recipe['start_from']}"
    learnt = tuple(
        DataSource(
            name=_name(source.name),
            patients=tuple(patient.name for patient in source.patients),
            attribution="Corrected by the one who trained this model.",
        )
        for source in patients.sources
        if is_worklist(source.name)
    )
    return ModelCard(
        name=config.name,
        method=config.method.name,
        network=config.architecture,
        spacing=config.data.spacing,
        tile=config.tile,
        segments=config.method.stage == "segment",
        trained_on=trained_on,
        steps=step,
        recipe=recipe,
        data_sources=(*_sources_of_start(config), *learnt),
        results={"validation": scores} if scores else {},
    )


def _sources_of_start(config: TrainingConfig) -> tuple[DataSource, ...]:
    """Return whom the weights that a run began with were trained on, as far as they are still there."""
    if config.start_from is None:
        return ()
    try:
        return read_card(model_path(config.start_from)).data_sources
    except CheckpointError:
        return ()


def _name(source: str) -> str:
    return source if is_synthetic(source) else Path(source).name
