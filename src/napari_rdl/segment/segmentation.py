"""One subset's result: labels, volumes, and the files that they are saved to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_rdl.brats import subset_name
from napari_rdl.case import Case, Provenance, WeightsRecord, input_records, save_labels
from napari_rdl.case.label_record import record_of
from napari_rdl.case.provenance import text_of
from napari_rdl.errors import OutputError, Remedy
from napari_rdl.files import is_there, plain_name
from napari_rdl.metrics import volumes_ml
from napari_rdl.models import Expectation, bundled_name
from napari_rdl.segment.computation import Computation


def output_name(case_name: str, modalities: Iterable[str], present: Iterable[str]) -> str:
    """Return the file name of a subset's labels.

    ``<case>_seg.nii.gz`` for all that the case has, ``<case>_seg_T1c+FLAIR.nii.gz`` for less.
    """
    names = tuple(modalities)
    suffix = "" if set(names) == set(present) else f"_{subset_name(names)}"
    return f"{plain_name(case_name)}_seg{suffix}.nii.gz"


def refuse_foreign_labels(path: Path) -> None:
    """Refuse to write over labels that have no record of this program's, whose name nobody chose.

    The name of a patient's result with all modalities is that of an expert's mask in BraTS folders.

    Raises
    ------
    OutputError
        If there are such labels.
    """
    if is_there(path) and record_of(path) is None:
        raise OutputError(
            f"{path} is there and was not predicted here: it may be an expert's mask", Remedy.OTHER_FOLDER
        )


@dataclass(frozen=True)
class Segmentation:
    """What the model makes of one subset of a case's modalities.

    Attributes
    ----------
    computation : Computation
        The patient, the weights, and how they were used.
    modalities : tuple of str
        The subset, in the fixed order.
    labels : ndarray of uint8
        (X, Y, Z) class indices on the case's grid, RAS+: 0 background, 1 NCR, 2 ED, 3 ET.
    """

    computation: Computation
    modalities: tuple[str, ...]
    labels: NDArray[np.uint8]

    @property
    def case(self) -> Case:
        """The patient."""
        return self.computation.case

    @property
    def expected(self) -> Expectation | None:
        """What results of this subset are worth; None where the model's card does not say."""
        return self.computation.card.expected.get(subset_name(self.modalities))

    def volumes_ml(self) -> dict[str, float]:
        """Return the volume of WT, TC and ET in millilitres."""
        return volumes_ml(self.labels, self.case.grid.voxel_ml)

    def save(self, folder: str | Path) -> Path:
        """Write the labels on the case's native grid, and the provenance beside them.

        Parameters
        ----------
        folder : str or Path
            Made if it does not exist.

        Returns
        -------
        Path
            The NIfTI file; the provenance has the same name with ``.json``.

        Raises
        ------
        OutputError
            If the folder cannot be written, or has labels of that name that were not predicted.
        """
        path = Path(folder) / output_name(self.case.name, self.modalities, self.case.modalities)
        refuse_foreign_labels(path)
        return self.save_as(path)

    def save_as(self, path: str | Path) -> Path:
        """Write the labels to a file of another name, and the provenance beside them; see `save`."""
        path = Path(path)
        return save_labels(self.labels, self.case, path, self.provenance(path.name))

    def provenance(self, output: str | None = None) -> Provenance:
        """Return the record from which this result can be made again.

        Parameters
        ----------
        output : str, optional
            Name of the label file that the record belongs to.
        """
        facts, case = self.computation, self.case
        bundled = bundled_name(facts.model_path) is not None
        expected = self.expected
        return Provenance(
            case=case.name,
            modalities=self.modalities,
            # All inputs, not only the subset's: they say of which patient this is a subset.
            inputs=input_records(case),
            weights=WeightsRecord(
                name=facts.model_name,
                sha256=facts.model_sha256,
                path=None if bundled else text_of(facts.model_path.absolute()),
            ),
            device=facts.device,
            precision=facts.precision,
            settings=facts.settings.model_dump(),
            steps=facts.steps,
            labels=case.convention.name,
            resample=case.resampled,
            native_grid="file" if case.files else "layer",
            expected=None if expected is None else expected.model_dump(mode="json"),
            output=output,
        )
