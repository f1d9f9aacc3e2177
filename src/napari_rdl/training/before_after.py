"""A model that learnt from corrections and the one that it began as, on patients that the run did not see."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_rdl.brats import REGIONS, all_subsets
from napari_rdl.callbacks import IsCancelled, Progress, ignore_progress, never_cancelled
from napari_rdl.cohort.patients import Patient, synthetic_patients
from napari_rdl.errors import Cancelled, ConfigError
from napari_rdl.files import read_bytes, write_text
from napari_rdl.training.run.folder import RunFolder

if TYPE_CHECKING:
    from napari_rdl.models import Model

COMPARISON = "before-and-after.json"
"""What a run's folder has once its model was compared with the one that it began with."""
FORGETS_ABOVE = 0.02
"""Mean Dice of synthetic patients may fall by so much."""
SYNTHETIC_SEED = 20_000_000
"""Synthetic patients of the comparison begin here: no run trains on or validates with them."""
_MOST_OWN, _SYNTHETIC = 8, 3


class PatientChange(BaseModel):
    """What a patient's Dice became."""

    model_config = ConfigDict(frozen=True)

    patient: str = Field(title="Patient", description="Its name.")
    synthetic: bool = Field(title="Synthetic", description="Whether it was made.")
    seen: bool = Field(
        False, title="Seen", description="Whether the model that the run began with had trained on it."
    )
    before: dict[str, float] = Field(title="Before", description="Region -> Dice with all modalities.")
    after: dict[str, float] = Field(title="After", description="Region -> Dice with all modalities.")
    subsets_before: float = Field(title="Subsets, before", description="Mean Dice over subsets and regions.")
    subsets_after: float = Field(title="Subsets, after", description="Mean Dice over subsets and regions.")

    @property
    def unchanged(self) -> bool:
        """Whether a human left the first model's labels as they were: all regions agree with them wholly."""
        return not self.synthetic and all(dice == 1 for dice in self.before.values())


class BeforeAndAfter(BaseModel):
    """A model and the one that it began as, on patients that the run did not train on."""

    model_config = ConfigDict(frozen=True)

    start: str = Field(title="Start", description="Name of the model that the run began with.")
    checkpoint: str = Field(title="Checkpoint", description="The run's checkpoint, in its folder.")
    learnt_from: int = Field(title="Learnt from", description="How many corrected patients it trained on.")
    patients: tuple[PatientChange, ...] = Field(title="Patients", description="One by one.")

    def of(self, *, synthetic: bool) -> tuple[PatientChange, ...]:
        """Return the patients of one kind that tell most: nobody trained on them, and a human changed them.

        Where there are none, those that are there.
        """
        rows = tuple(row for row in self.patients if row.synthetic == synthetic)
        rows = tuple(row for row in rows if not row.seen) or rows
        return tuple(row for row in rows if not row.unchanged) or rows

    def means(self, *, synthetic: bool) -> tuple[float, float] | None:
        """Return the mean Dice of regions before and after, with all modalities; None without patients."""
        rows = self.of(synthetic=synthetic)
        if not rows:
            return None
        before = fmean(value for row in rows for value in row.before.values())
        return before, fmean(value for row in rows for value in row.after.values())

    @property
    def verdict(self) -> Literal["better", "worse", "forgets", "unknown"]:
        """Whether the new model is the better one.

        Unknown without a patient of one's own kept aside whose labels are not the first model's own: no other
        model can agree better with those.
        """
        own, synthetic = self.means(synthetic=False), self.means(synthetic=True)
        if synthetic is not None and synthetic[1] < synthetic[0] - FORGETS_ABOVE:
            return "forgets"
        if own is None or all(row.unchanged for row in self.of(synthetic=False)):
            return "unknown"
        return "better" if own[1] > own[0] else "worse"

    def words(self) -> str:
        """Return what it says, as a user reads it."""
        said = []
        for synthetic, name in ((False, "kept aside"), (True, "synthetic")):
            means, rows = self.means(synthetic=synthetic), self.of(synthetic=synthetic)
            if means is not None:
                seen = ", which the first model had trained on" if any(row.seen for row in rows) else ""
                if any(row.unchanged for row in rows):
                    seen += ", accepted as the first model drew it" if len(rows) == 1 else ", all accepted"
                patients = f"{len(rows)} {name} patient{'s' if len(rows) != 1 else ''}{seen}"
                said.append(f"{patients}: mean Dice {means[0]:.3f} before, {means[1]:.3f} after.")
        missing = (
            "Labels of the first model cannot tell which of the two is better: correct another patient."
            if self.of(synthetic=False)
            else "No patient of yours was kept aside, so nobody knows yet whether it is better: "
            "finish a second one."
        )
        verdict = {
            "better": "The new model is the better one.",
            "worse": "The new model is not better: stay with the one before, or correct more patients.",
            "forgets": "The new model forgot what it knew of synthetic patients: stay with the one before.",
            "unknown": missing,
        }[self.verdict]
        learnt = f"Learnt from {self.learnt_from} patient{'s' if self.learnt_from != 1 else ''}."
        return " ".join([learnt, *said, verdict])


def compare_run(
    folder: str | Path, *, progress: Progress = ignore_progress, cancelled: IsCancelled = never_cancelled
) -> BeforeAndAfter:
    """Compare a run's last weights with those that it began with, and leave the result in its folder.

    Raises
    ------
    NapariRdlError
        If the folder is no run that began with weights, or something in it cannot be read any more.
    Cancelled
        If `cancelled` answered True.
    """
    from napari_rdl.models import load_model
    from napari_rdl.training.data.sources import choose_patients

    run = RunFolder(folder)
    config = run.read_config()
    if config.start_from is None:
        raise ConfigError(f"The run in {run.path} began with random weights: there is nothing before it.")
    chosen = choose_patients(config.data, config.seed, config.validation.patients)
    own = [patient for patient in chosen.validation if patient.folder is not None][:_MOST_OWN]
    synthetic = synthetic_patients(f"phantom:{_SYNTHETIC}", SYNTHETIC_SEED)
    before, after = load_model(config.start_from), load_model(run.last)
    found = measure([*own, *synthetic], before, after, progress=progress, cancelled=cancelled)
    comparison = BeforeAndAfter(
        start=before.name,
        checkpoint=run.last.name,
        learnt_from=sum(patient.folder is not None for patient in chosen.train),
        patients=found,
    )
    write_text(run.path / COMPARISON, comparison.model_dump_json(indent=2) + "\n", make_folder=False)
    return comparison


def read_comparison(folder: Path) -> BeforeAndAfter | None:
    """Return what `compare_run` left in a run's folder; None if there is nothing that can be read."""
    try:
        return BeforeAndAfter.model_validate_json(read_bytes(folder / COMPARISON))
    except (OSError, ValidationError):
        return None


def measure(
    patients: Sequence[Patient],
    before: Model,
    after: Model,
    *,
    progress: Progress = ignore_progress,
    cancelled: IsCancelled = never_cancelled,
) -> tuple[PatientChange, ...]:
    """Measure two models on patients, with all subsets of what each one has."""
    from napari_rdl.metrics import region_dice
    from napari_rdl.segment import encode

    rows = []
    for done, patient in enumerate(patients):
        if cancelled():
            raise Cancelled
        progress(done, len(patients), f"Comparing on {patient.name}")
        case, truth = patient.read_with_truth()
        full: list[dict[str, float]] = []
        subsets: list[float] = []
        for model in (before, after):
            representations = encode(case, model, cancelled=cancelled)
            full.append(region_dice(representations.labels(), truth))
            scores = [
                region_dice(representations.labels(subset), truth)
                for subset in all_subsets(representations.modalities)
            ]
            subsets.append(fmean(score[region] for score in scores for region in REGIONS))
        rows.append(
            PatientChange(
                patient=patient.name,
                synthetic=patient.folder is None,
                seen=patient.name in before.card.training_patients,
                before=full[0],
                after=full[1],
                subsets_before=subsets[0],
                subsets_after=subsets[1],
            )
        )
    progress(len(patients), len(patients), "")
    return tuple(rows)
