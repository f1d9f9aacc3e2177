"""A comparison of models as it is read: tables, and a sentence for each difference that is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_rdl.cohort.comparison import Comparison
from napari_rdl.cohort.intervals import Interval
from napari_rdl.cohort.rendering import render
from napari_rdl.cohort.significance import LEVEL
from napari_rdl.cohort.tables import HEADINGS, WORST_MM
from napari_rdl.files import write_json, write_text


def write_comparison(comparison: Comparison, about: Mapping[str, Any], out: Path) -> str:
    """Write ``comparison.md`` and ``comparison.json`` to `out`, and return the former's text.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    text = render(
        "report.md",
        title="Comparison",
        header=list(about.items()),
        tables=_shown(comparison),
        patients=None,
        failed={},
        failed_title="",
    )
    text += "\n" + "\n".join(_sentences(comparison)) + "\n"
    write_text(out / "comparison.md", text)
    write_json(out / "comparison.json", {"about": dict(about), **comparison_content(comparison)}, indent=1)
    return text


def comparison_content(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain values."""
    return {
        "models": comparison.models,
        "columns": comparison.columns,
        "patients": comparison.patients,
        "dice": {
            region: {name: [None if one is None else vars(one) for one in row] for name, row in rows.items()}
            for region, rows in comparison.dice.items()
        },
        "hd95": comparison.hd95,
        "further": {
            measure: {
                region: {
                    name: [None if one is None else vars(one) for one in row] for name, row in rows.items()
                }
                for region, rows in regions.items()
            }
            for measure, regions in comparison.further.items()
        },
        "differences": [
            {**vars(one), "difference": vars(one.difference), "told": one.told}
            for one in comparison.differences
        ],
        "ranks": comparison.ranks,
    }


def _shown(comparison: Comparison) -> list[dict[str, Any]]:
    tables: list[dict[str, Any]] = []
    for region, rows in comparison.dice.items():
        cells = [(name, [_cell(one) for one in row]) for name, row in rows.items()]
        tables.append(
            {
                "heading": f"Dice (%), {region}",
                "columns": comparison.columns,
                "rows": cells,
                "remarks": ["Mean, and its 95 % bootstrap interval over patients."],
            }
        )
    for region, of_models in comparison.hd95.items():
        shown = [(name, [_mm_cell(*one) for one in values]) for name, values in of_models.items()]
        tables.append(
            {
                "heading": f"HD95 (mm), {region}",
                "columns": comparison.columns,
                "rows": shown,
                "remarks": [
                    "Mean, of how many values, and the mean with "
                    f"{WORST_MM} mm where one mask is empty and 0 where both are."
                ],
            }
        )
    for measure, regions in comparison.further.items():
        for region, rows in regions.items():
            tables.append(
                {
                    "heading": f"{HEADINGS[measure]}, {region}",
                    "columns": comparison.columns,
                    "rows": [(name, [_cell(one) for one in row]) for name, row in rows.items()],
                    "remarks": ["Mean, and its 95 % bootstrap interval over patients."],
                }
            )
    return tables


def _cell(one: Interval | None) -> str:
    if one is None:
        return "–"
    if one.low is None or one.high is None:
        return f"{one.mean:.1f}"
    return f"{one.mean:.1f} [{one.low:.1f}, {one.high:.1f}]"


def _mm_cell(mean: float | None, count: int, worst: float | None) -> str:
    return "–" if worst is None else f"{'–' if mean is None else f'{mean:.1f}'} ({count}); {worst:.1f}"


def _sentences(comparison: Comparison) -> list[str]:
    first = comparison.models[0]
    lines = []
    for name in comparison.models[1:]:
        own = [one for one in comparison.differences if one.model == name]
        told = [one for one in own if one.told]
        if not told:
            lines.append(
                f"- {name} and {first}: no column differs (Wilcoxon's signed ranks over "
                f"{comparison.patients} patients, Holm's correction over {len(own)} columns, p < {LEVEL})."
            )
        for one in told:
            word = "better" if one.difference.mean > 0 else "worse"
            low, high = one.difference.low, one.difference.high
            between = "" if low is None or high is None else f" [{low:+.1f}, {high:+.1f}]"
            lines.append(
                f"- {name} is {word} than {first} in {one.region}, {one.column}: "
                f"{one.difference.mean:+.1f}{between}, p = {one.p_holm:.2g} after Holm."
            )
    ranked = sorted(comparison.ranks.items(), key=lambda item: item[1])
    lines.append(
        "- Mean rank (as BraTS ranks): " + ", ".join(f"{name} {rank:.2f}" for name, rank in ranked) + "."
    )
    return lines
