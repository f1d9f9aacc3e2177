"""With what a segmentation was computed: said once, passed along."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_rdl.case import Case
from napari_rdl.models import Model, ModelCard
from napari_rdl.segment.settings import SegmentSettings


@dataclass(frozen=True)
class Computation:
    """What a result came from.

    Attributes
    ----------
    case : Case
        The patient.
    card : ModelCard
        What the weights say of themselves.
    model_path, model_sha256 : Path, str
        The weights.
    settings : SegmentSettings
        As asked for.
    device, precision : str
        As they were in the end.
    steps : tuple of str
        What was changed on the way because memory ran out.
    """

    case: Case
    card: ModelCard
    model_path: Path
    model_sha256: str
    settings: SegmentSettings
    device: str
    precision: str
    steps: tuple[str, ...] = ()

    @property
    def model_name(self) -> str:
        """Short name of the model."""
        return self.card.name

    @classmethod
    def of(
        cls,
        case: Case,
        model: Model,
        settings: SegmentSettings,
        device: str,
        precision: str,
        steps: tuple[str, ...],
    ) -> Computation:
        """Return the facts of one run of `model`."""
        return cls(case, model.card, model.path, model.sha256, settings, device, precision, steps)
