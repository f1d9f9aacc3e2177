"""What a run writes into its folder while it goes on: curves, scores, checkpoints, who was visited."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_rdl.errors import NapariRdlError, OutputError, Remedy
from napari_rdl.files import write_json
from napari_rdl.models import save_model
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.data.sources import Patients
from napari_rdl.training.run.card import run_card
from napari_rdl.training.run.folder import MetricsLog, RunFolder
from napari_rdl.training.run.tensorboard import EventLog
from napari_rdl.training.step.preview import Example, write_preview
from napari_rdl.training.step.state import Position, save_state
from napari_rdl.training.step.stepper import Stepper
from napari_rdl.training.step.validate import Scores

logger = logging.getLogger(__name__)


class RunRecord:
    """Keeps in a run folder what the trainer says; on all processes but the first it keeps nothing.

    Parameters
    ----------
    folder : RunFolder
        Where it is kept.
    config : TrainingConfig
        Resolved.
    patients : Patients
        Of the run.
    writes : bool
        Whether this process is the first.
    """

    def __init__(
        self, folder: RunFolder, config: TrainingConfig, patients: Patients, *, writes: bool
    ) -> None:
        self.folder = folder
        self.config = config
        self.patients = patients
        self._writes = writes
        self._metrics: MetricsLog | None = None
        self._events: EventLog | None = None

    @property
    def paused(self) -> bool:
        """Whether a file PAUSE lies in the run folder."""
        return self.folder.pause.exists()

    def open(self, position: Position) -> None:
        """Begin the logs, or cut them back to `position`."""
        if self._writes:
            self._metrics = MetricsLog(self.folder.metrics, position.metrics_size)
            self._events = EventLog(self.folder.tensorboard, position.step)

    def curves(self, step: int, line: dict[str, Any]) -> None:
        """Write a line of losses, rate and speed."""
        if self._metrics is None or self._events is None:
            return
        self.folder.require_there()
        self._metrics.write(line)
        curves = {name: value for name, value in line.items() if name not in ("step", "steps")}
        self._events.write(step, curves, "train")

    def scores(self, step: int, scores: Scores, line: dict[str, Any], example: Example | None) -> None:
        """Write a validation, and an example as a picture."""
        if self._metrics is None or self._events is None:
            return
        if example is not None:
            _keep_going(lambda: write_preview(self.folder.preview, example))
        self._metrics.write(line)
        flat = {f"{name}/{region}": value for name, row in scores.items() for region, value in row.items()}
        self._events.write(step, {"mean_dice": line["mean_dice"], **flat}, "validation")

    def best(self, stepper: Stepper, step: int, scores: Scores) -> bool:
        """Write the best weights so far; return False where there is no room."""
        return not self._writes or _keep_going(lambda: self._export(self.folder.best, stepper, step, scores))

    def checkpoint(self, stepper: Stepper, position: Position, scores: Scores, *, must: bool) -> None:
        """Write the state to resume from, the last weights, and who was visited.

        Raises
        ------
        OutputError
            If it `must` be written and cannot be, or if the run folder was moved.
        """
        if self._metrics is None:
            return
        folder = self.folder
        folder.require_there()
        position.metrics_size = self._metrics.size

        def write() -> None:
            save_state(folder.state, self.config, position, stepper)
            self._export(folder.last, stepper, position.step, scores)
            write_json(folder.visits, visits_record(self.patients, position), make_folder=False)

        if not must:
            _keep_going(write)
            return
        try:
            write()
        except NapariRdlError as error:
            raise OutputError(
                f"The last checkpoint of {folder.path} is lost and the one before is kept "
                f"({error.what.rstrip('.')})",
                Remedy.RESUME,
                folder=folder.path,
            ) from error

    def close(self) -> None:
        """Close the logs."""
        if self._events is not None:
            self._events.close()

    def _export(self, path: Path, stepper: Stepper, step: int, scores: Scores) -> None:
        card = run_card(self.config, self.patients, step, scores)
        save_model(path, stepper.network, card, make_folder=False)


def visits_record(patients: Patients, position: Position) -> dict[str, Any]:
    """Return who was trained on how often, by source and by patient, as ``visits.json`` has it."""
    total = sum(source.share for source in patients.sources)
    crops, halves = position.crops, position.half_crops
    sources = []
    for source in patients.sources:
        names = [patient.name for patient in source.patients]
        sources.append(
            {
                "source": source.name,
                "share": round(source.share / total, 4),
                "patients": len(names),
                "patients_visited": sum(crops[name] > 0 for name in names),
                "crops": sum(crops[name] for name in names),
                "crops_of_healthy_halves": sum(halves[name] for name in names),
            }
        )
    return {"step": position.step, "crops": crops.total(), "sources": sources, "patients": dict(crops)}


def _keep_going(write: Callable[[], None]) -> bool:
    """Write something that a run can go on without; return whether it is written."""
    try:
        write()
    except NapariRdlError as error:
        logger.warning("%s; the checkpoint before is kept and training goes on.", str(error).rstrip("."))
        return False
    return True
