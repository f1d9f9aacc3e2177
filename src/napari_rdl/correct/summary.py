"""What was corrected, in numbers, and the record that lies beside corrected labels."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from napari_rdl.brats import REGIONS
from napari_rdl.case.label_record import Correction
from napari_rdl.case.provenance import Provenance
from napari_rdl.correct.edits import Source
from napari_rdl.correct.history import History
from napari_rdl.metrics import region_dice

_SAID = (Source.REFINEMENT, Source.HUMAN)


class EditSummary(BaseModel):
    """What a correction changed."""

    model_config = ConfigDict(frozen=True)

    steps: int = Field(title="Steps", description="Steps that stand.")
    seconds_at_work: float = Field(
        title="Time at work", description="Seconds from step to step; a pause counts as a minute at most."
    )
    changed_ml: dict[str, dict[str, float]] = Field(
        title="Changed",
        description="Source (refinement, human) -> region -> ml that came to it or left it.",
    )
    dice: dict[str, float] = Field(title="Dice", description="Region -> Dice of prediction and correction.")

    @classmethod
    def nothing(cls) -> EditSummary:
        """Return that of a prediction which was found right."""
        unchanged = {source.name.lower(): dict.fromkeys(REGIONS, 0.0) for source in _SAID}
        return cls(steps=0, seconds_at_work=0, changed_ml=unchanged, dice=dict.fromkeys(REGIONS, 1.0))


class CorrectionRecord(Correction):
    """How corrected labels came to be; lies beside them as JSON."""

    annotator: str = Field("", title="Annotator", description="Who corrected; empty where not said.")
    edits: EditSummary = Field(title="Edits", description="What was changed.")
    prediction: Provenance | None = Field(
        None,
        title="Prediction",
        description="What was corrected; empty for work taken up from a journal or a saved correction.",
    )
    continued: str = Field(
        "",
        title="Continued",
        description="The saved correction that was gone on with; edits count from there.",
    )


def summarise(history: History, voxel_ml: float) -> EditSummary:
    """Return what a history changed of its base.

    Parameters
    ----------
    history : History
    voxel_ml : float
        Volume of a voxel in ml.
    """
    where = np.flatnonzero(history.base != history.labels)
    before, after = history.base.reshape(-1)[where], history.labels.reshape(-1)[where]
    sources = history.sources.reshape(-1)[where]
    changed = {
        source.name.lower(): {
            region: float(
                np.count_nonzero((np.isin(before, members) != np.isin(after, members)) & (sources == source))
                * voxel_ml
            )
            for region, members in REGIONS.items()
        }
        for source in _SAID
    }
    return EditSummary(
        steps=history.position,
        seconds_at_work=history.seconds_at_work(),
        changed_ml=changed,
        dice=region_dice(history.base, history.labels),
    )
