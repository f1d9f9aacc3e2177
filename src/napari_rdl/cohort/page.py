"""The study as one HTML page that opens offline: pictures within, no scripts, light and dark."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from napari_rdl.brats import REGIONS
from napari_rdl.cohort.finished import FinishedStudy
from napari_rdl.cohort.records import StudiedPatient
from napari_rdl.cohort.rendering import render
from napari_rdl.cohort.runner import PATIENTS
from napari_rdl.cohort.summary import ABOUT_TITLES, header_of, shown_tables, shown_worths
from napari_rdl.cohort.tables import PooledTable, subset_title
from napari_rdl.compare.export import MEASURES, Measure, measures_of
from napari_rdl.compare.study import SubsetRow

_OPEN = 3
"""Patients whose numbers are unfolded at first."""

_PICTURES = 40
"""Patients whose pictures are in the page itself; all of a large cohort's would make it too heavy to open."""


def html_page(
    study: FinishedStudy,
    tables: Sequence[PooledTable],
    light: Mapping[str, bytes],
    dark: Mapping[str, bytes],
) -> str:
    """Return the page.

    Parameters
    ----------
    study : FinishedStudy
    tables : sequence of PooledTable
    light, dark : Mapping
        Chart's name -> PNG for either scheme.
    """
    return render(
        "study.html",
        about={"model": "", "reference": ""} | study.about,
        header=header_of(study.about, ABOUT_TITLES),
        subsets=len(study.subsets),
        tables=shown_tables(study, tables),
        worths=shown_worths(study),
        failed=study.failed,
        light={name: _embedded(image) for name, image in light.items()},
        dark={name: _embedded(image) for name, image in dark.items()},
        patients=[_patient(study, patient, number) for number, patient in enumerate(study.patients)],
        unfolded=_OPEN,
    )


def _embedded(image: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(image).decode()


def _patient(study: FinishedStudy, patient: StudiedPatient, number: int) -> dict[str, Any]:
    path = study.picture(patient)
    within = number < _PICTURES
    measures = [one for one in measures_of(patient.rows) if one.name in ("dice", "hd95", "volume_ml")]
    columns = [(measure, region) for measure in measures for region in REGIONS]
    return {
        "name": patient.name,
        "score": patient.score_title,
        "modalities": patient.modalities,
        "remark": patient.remark,
        "places": patient.places,
        "picture": _embedded(path.read_bytes()) if within and path.is_file() else None,
        "link": None if within else quote(f"{PATIENTS}/{path.name}"),
        "heads": [
            {"kind": _kind(region), "words": measure.heading, "title": f"{measure.title} {region}"}
            for measure, region in columns
        ],
        "rows": [
            {
                "title": subset_title(row.subset, patient.modalities),
                "dots": [name in row.subset for name in patient.modalities],
                "cells": [_cell(measure, row, region) for measure, region in columns],
            }
            for row in patient.rows
        ],
    }


def _cell(measure: Measure, row: SubsetRow, region: str) -> dict[str, Any]:
    value = measure.of(row, region)
    coloured = measure is MEASURES[0] and value is not None and not row.scores[region].reference_empty
    return {
        "text": measure.cell(row, region),
        "kind": f"{_kind(region)} heat".strip() if coloured else _kind(region),
        # From a pale red over yellow to green, light enough for dark ink in either scheme.
        "heat": round(8 + 130 * value) if coloured and value is not None else None,
    }


def _kind(region: str) -> str:
    """Return the class of a column's cells: a line stands before each measure."""
    return "first" if region == "WT" else ""
