"""The study as one HTML page that opens offline: pictures within, no scripts, light and dark."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import quote

from napari_rdl.brats import REGIONS
from napari_rdl.cohort.finished import PATIENTS, FinishedStudy, StudiedPatient
from napari_rdl.cohort.pooled import PooledTable, subset_title
from napari_rdl.cohort.summary import (
    count_remark,
    empty_remark,
    heading_of,
    pooled_worth,
    undefined_remark,
    worth_cells,
    worth_heading,
)
from napari_rdl.compare.export import MEASURES, Measure, measures_of
from napari_rdl.compare.shapley import ModalityWorth
from napari_rdl.compare.study import SubsetRow

_OPEN = 3
"""Patients whose numbers are unfolded at first."""

_PICTURES = 40
"""Patients whose pictures are in the page itself; all of a large cohort's would make it too heavy to open."""

_STYLE = """
:root { color-scheme: light dark; --text: #1c2126; --dim: #5c6670; --back: #f4f5f7; --card: #ffffff;
  --line: #d9dde2; --ink: #10242b; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e7ea; --dim: #9aa4ae; --back: #14181c;
  --card: #1e2328; --line: #39414a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 0 0 10px; }
p.lead { margin: 0 0 20px; color: var(--dim); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 16px 18px;
  margin: 0 0 18px; overflow-x: auto; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px; margin: 0; }
dt { color: var(--dim); } dd { margin: 0; overflow-wrap: anywhere; }
img { max-width: 100%; height: auto; display: block; margin: 10px 0 0; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 7px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--dim); font-weight: 600; } th:first-child { text-align: left; }
td.heat { color: var(--ink); } td.dot, th.dot { text-align: center; padding: 3px 5px; }
td.first, th.first { border-left: 2px solid var(--line); }
details { border-top: 1px solid var(--line); padding: 8px 0; } details:first-of-type { border-top: 0; }
summary { cursor: pointer; } summary b { margin-right: 10px; } summary span { color: var(--dim); }
a { color: inherit; }
p.remark { color: var(--dim); margin: 8px 0; } .failed { color: #c0392b; }
@media (prefers-color-scheme: dark) { .failed { color: #ff8b7d; } }
@media print { body { background: white; } section { break-inside: avoid; } }
"""


def html_page(
    study: FinishedStudy,
    tables: Sequence[PooledTable],
    about_titles: Mapping[str, str],
    light: Mapping[str, bytes],
    dark: Mapping[str, bytes],
) -> str:
    """Return the page.

    Parameters
    ----------
    study : FinishedStudy
    tables : sequence of PooledTable
    about_titles : Mapping
        Key of ``study.about`` -> what a reader sees, in order.
    light, dark : Mapping
        Chart's name -> PNG for either scheme.
    """
    parts = []
    if study.failed:
        items = "".join(
            f"<li><b>{escape(name)}</b>: {escape(why)}</li>" for name, why in study.failed.items()
        )
        parts.append(_section("Failed", f'<ul class="failed">{items}</ul>'))
    sections = [_table_section(study, table, light, dark) for table in tables]
    worths = [_worth_section(study, worth, light, dark) for worth in pooled_worth(study).values()]
    # Beside the first table, since it is what most readers come for.
    parts += [*sections[:1], *worths, *sections[1:]]
    listed = "".join(_patient(study, patient, number) for number, patient in enumerate(study.patients))
    parts.append(_section("Patients, worst first", listed or "<p>None.</p>"))
    about = "".join(
        f"<dt>{escape(title)}</dt><dd>{escape(str(study.about[key]))}</dd>"
        for key, title in about_titles.items()
        if key in study.about
    )
    parts.append(_section("How this was made", f"<dl>{about}</dl>"))
    count = len(study.patients)
    lead = f"{count} patient{'' if count == 1 else 's'}, {len(study.subsets)} subsets of modalities, "
    lead += f"against {study.about.get('reference', 'no reference')}. "
    lead += "Research software: not for diagnosis or treatment."
    title = escape(f"Subset study: {study.about.get('model', '')}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main>"
        f'<h1>Subset study</h1><p class="lead">{escape(lead)}</p>{"".join(parts)}'
        "</main></body></html>\n"
    )


def _table_section(
    study: FinishedStudy, table: PooledTable, light: Mapping[str, bytes], dark: Mapping[str, bytes]
) -> str:
    heading = heading_of(table)
    charts = "".join(
        _chart(f"{kind}_{table.measure}", light, dark, f"{kind} of {heading}")
        for kind in ("heatmap", "boxes")
    )
    texts = (count_remark(table), undefined_remark(table), table.measure == "dice" and empty_remark(study))
    notes = "".join(f'<p class="remark">{escape(text)}</p>' for text in texts if text)
    return _section(f"{heading}, mean over patients", (charts or _pooled(table)) + notes)


def _worth_section(
    study: FinishedStudy, worth: ModalityWorth, light: Mapping[str, bytes], dark: Mapping[str, bytes]
) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in (*study.modalities, "Sum"))
    rows = "".join(
        f"<tr><th>{region}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        for region, cells in worth_cells(study, worth)
    )
    heading = worth_heading(worth)
    chart = _chart(f"worth_{worth.measure}", light, dark, heading)
    return _section(heading, f"<table><tr><th></th>{heads}</tr>{rows}</table>{chart}")


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _chart(name: str, light: Mapping[str, bytes], dark: Mapping[str, bytes], words: str) -> str:
    if name not in light:
        return ""
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{_embedded(dark[name])}">'
        f'<img alt="{escape(words)}" src="{_embedded(light[name])}"></picture>'
    )


def _embedded(image: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(image).decode()


def _pooled(table: PooledTable) -> str:
    heads = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = "".join(
        f"<tr><th>{region}</th>"
        + "".join(f"<td>{'–' if value is None else f'{value:.1f}'}</td>" for value in values)
        + "</tr>"
        for region, values in table.values.items()
    )
    return f"<table><tr><th></th>{heads}</tr>{rows}</table>"


def _patient(study: FinishedStudy, patient: StudiedPatient, number: int) -> str:
    score = "no reference" if patient.score is None else f"mean Dice {100 * patient.score:.1f} %"
    about = f"{score}; {', '.join(patient.modalities)}"
    body = ""
    if patient.remark:
        body += f'<p class="remark">{escape(patient.remark)}</p>'
    picture = study.picture(patient)
    if number >= _PICTURES:
        target = quote(f"{PATIENTS}/{picture.name}")
        body += f'<p class="remark"><a href="{target}">Picture</a>, in the file beside this page.</p>'
    elif picture.is_file():
        body += f'<img alt="{escape(patient.name)}, one axial slice" src="{_embedded(picture.read_bytes())}">'
    body += _rows(patient)
    if patient.places:
        worst = patient.places[0]
        x, y, z = worst.voxel
        body += (
            f'<p class="remark">The subsets disagree in {len(patient.places)} places; most in one of '
            f"{worst.volume_ml:.1f} ml at voxel {x}, {y}, {z}, where {100 * worst.agreement:.0f} % of them "
            "say the same.</p>"
        )
    opened = " open" if number < _OPEN else ""
    return (
        f"<details{opened}><summary><b>{escape(patient.name)}</b><span>{escape(about)}</span></summary>"
        f"{body}</details>"
    )


def _rows(patient: StudiedPatient) -> str:
    measures = [one for one in measures_of(patient.rows) if one.name in ("dice", "hd95", "volume_ml")]
    dots = "".join(f'<th class="dot">{escape(name)}</th>' for name in patient.modalities)
    heads = "".join(
        f'<th class="{"first" if region == "WT" else ""}" title="{escape(measure.heading)}">'
        f"{escape(measure.title)} {region}</th>"
        for measure in measures
        for region in REGIONS
    )
    lines = []
    for row in patient.rows:
        present = "".join(
            f'<td class="dot">{"●" if name in row.subset else "○"}</td>' for name in patient.modalities
        )
        cells = "".join(_cell(measure, row, region) for measure in measures for region in REGIONS)
        lines.append(
            f"<tr><th>{escape(subset_title(row.subset, patient.modalities))}</th>{present}{cells}</tr>"
        )
    return f"<table><tr><th></th>{dots}{heads}</tr>{''.join(lines)}</table>"


def _cell(measure: Measure, row: SubsetRow, region: str) -> str:
    names = ["first"] if region == "WT" else []
    style = ""
    value = measure.of(row, region)
    if measure is MEASURES[0] and value is not None and not row.scores[region].reference_empty:
        names.append("heat")
        # From a pale red over yellow to green, light enough for dark ink in either scheme.
        style = f' style="background: hsl({round(8 + 130 * value)} 55% 74%)"'
    return f'<td class="{" ".join(names)}"{style}>{measure.cell(row, region)}</td>'
