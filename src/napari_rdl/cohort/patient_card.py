"""One look at a patient: volumes, worth of each modality, doubt, what the checks say, and the weights' card.

The page is one HTML file that opens offline and prints on white.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_rdl.brats import REGION_TITLES, REGIONS
from napari_rdl.case.provenance import ExportRecord, WeightsRecord, current_versions, text_of
from napari_rdl.cohort.charts import REGION_COLOURS
from napari_rdl.cohort.picture import draw_patient
from napari_rdl.cohort.rendering import render
from napari_rdl.compare.agreement import entropy, places_of_disagreement
from napari_rdl.files import plain_name, write_together

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_rdl.case import Case, Finding, Grid
    from napari_rdl.compare.agreement import Place
    from napari_rdl.compare.shapley import ModalityWorth
    from napari_rdl.compare.study import SubsetStudy
    from napari_rdl.models import ModelCard
    from napari_rdl.segment import Representations

_PLACES = 5
_WAYS = (("R", "L"), ("A", "P"), ("S", "I"))


def patient_card(
    representations: Representations,
    study: SubsetStudy,
    findings: Iterable[Finding] = (),
    *,
    corrected: NDArray[np.uint8] | None = None,
    made: datetime | None = None,
) -> str:
    """Return the page.

    Parameters
    ----------
    representations : Representations
        The patient, encoded.
    study : SubsetStudy
        All of its subsets, compared with the expert's mask where there is one.
    findings : iterable of Finding
        What the checks said.
    corrected : ndarray of uint8, shape (X, Y, Z), optional
        Class indices that a human corrected; their volumes stand beside the prediction's.
    made : datetime, optional
        When; now by default.
    """
    case = representations.case
    full = representations.combine()
    computation = representations.computation
    return render(
        "patient.html",
        name=case.name,
        made=f"{made or datetime.now():%d %B %Y, %H:%M}",
        case=_case_rows(case),
        findings=[{"level": finding.level, "message": finding.message} for finding in findings],
        picture="data:image/png;base64," + base64.b64encode(draw_patient(case, study)).decode(),
        volumes=_volumes(full.volumes_ml(), study, corrected, case.grid),
        corrected=corrected is not None,
        reference=study.reference.title if study.reference is not None else None,
        worth=_worth(study.worth(), study),
        expected=_expected(full.expected),
        doubt=_doubt(representations, full.labels),
        places=[_place(place) for place in places_of_disagreement(study.stack, case.grid)[:_PLACES]],
        weights=_weights(computation.card, computation.model_name, computation.device, computation.precision),
        versions=", ".join(f"{name} {version}" for name, version in current_versions().items()),
        remark=study.remark,
    )


def write_patient_card(
    path: str | Path, page: str, representations: Representations, study: SubsetStudy
) -> Path:
    """Write a page, and beside it the record that says of whom and with what it was made.

    Raises
    ------
    OutputError
        If it cannot be written there.
    """
    path, computation = Path(path), representations.computation
    record = ExportRecord(
        kind="summary",
        case=plain_name(representations.case.name),
        output=path.name,
        modalities=study.modalities,
        reference=study.reference.title if study.reference is not None else None,
        weights=WeightsRecord(name=computation.model_name, sha256=computation.model_sha256),
    )
    write_together([(path.with_suffix(".json"), record.content()), (path, page.encode())])
    return path


def _case_rows(case: Case) -> list[tuple[str, str]]:
    shape = " × ".join(map(str, case.grid.shape))
    spacing = " × ".join(f"{size:.3g}" for size in case.grid.spacing)
    files = [f"{name}: {text_of(Path(path.name))}" for name, path in case.files.items()]
    return [
        ("Modalities", ", ".join(case.modalities)),
        ("Grid", f"{shape} voxels of {spacing} mm{', resampled to one grid' if case.resampled else ''}"),
        ("Files", "; ".join(files) or "none: images were given as layers or arrays"),
    ]


def _volumes(
    predicted: Mapping[str, float], study: SubsetStudy, corrected: NDArray[np.uint8] | None, grid: Grid
) -> list[dict[str, Any]]:
    row = study.row(study.modalities)
    volumes = [study.row(subset).volumes_ml for subset in study.subsets]
    found = []
    for region, members in REGIONS.items():
        score = row.scores.get(region)
        found.append(
            {
                "region": f"{region}, {REGION_TITLES[region]}",
                "predicted": f"{predicted[region]:.1f}",
                "range": f"{min(one[region] for one in volumes):.1f} to "
                f"{max(one[region] for one in volumes):.1f}",
                "corrected": None
                if corrected is None
                else f"{int(np.isin(corrected, members).sum()) * grid.voxel_ml:.1f}",
                "reference": None if score is None else f"{score.reference_ml:.1f}",
                "dice": None
                if score is None
                else "empty in the reference"
                if score.reference_empty
                else f"{100 * score.dice:.1f} %",
            }
        )
    return found


def _worth(worth: ModalityWorth, study: SubsetStudy) -> dict[str, Any]:
    percent = worth.measure == "dice"
    factor, unit = (100, "%") if percent else (1, "ml")
    known = [values for values in worth.values.values() if values]
    most = max((abs(value) for values in known for value in values.values()), default=0) or 1
    return {
        "what": f"Dice against the {study.reference.title}" if percent and study.reference else "volume",
        "rows": [
            {
                "modality": modality,
                "cells": [
                    {"text": "–", "width": 0, "colour": "none"}
                    if (values := worth.values[region]) is None
                    else {
                        "text": f"{factor * values[modality]:+.1f} {unit}",
                        "width": round(100 * abs(values[modality]) / most),
                        "colour": REGION_COLOURS[region],
                    }
                    for region in REGIONS
                ],
            }
            for modality in study.modalities
        ],
        "regions": list(REGIONS),
    }


def _expected(expected: Any) -> dict[str, Any] | None:
    if expected is None or not expected.line:
        return None
    line = expected.line
    return {"line": f"{line[:1].upper()}{line[1:]}.", "why": expected.explanation.splitlines()}


def _doubt(representations: Representations, labels: NDArray[np.uint8]) -> str:
    tumour = labels > 0
    if not tumour.any():
        return "All modalities together find no tumour."
    unsure = entropy(representations)[tumour]
    return (
        f"Within the tumour that all modalities find, the mean entropy is {float(unsure.mean()):.2f} "
        f"(0 sure, 1 undecided); {100 * float((unsure > 0.5).mean()):.0f} % of it lies above 0.5."
    )


def _place(place: Place) -> dict[str, str]:
    where = ", ".join(
        f"{abs(value):.0f} mm {high if value >= 0 else low}"
        for value, (high, low) in zip(place.centroid_mm, _WAYS, strict=True)
    )
    return {
        "ml": f"{place.volume_ml:.2f}",
        "agree": f"{100 * place.agreement:.0f} %",
        "where": where,
        "voxel": ", ".join(map(str, place.voxel)),
    }


def _weights(card: ModelCard, name: str, device: str, precision: str) -> list[tuple[str, str]]:
    rows = [
        ("Name", name),
        ("Trained on", card.trained_on),
        ("Works at", " × ".join(f"{size:g}" for size in card.spacing) + " mm"),
        ("Intended use", card.intended_use),
        ("Ran on", f"{device}, {precision}"),
    ]
    return [(title, text) for title, text in rows if text]
