"""A patient's comparison as a picture for a paper: on white, as PNG, SVG or PDF."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_rdl.brats import REGIONS
from napari_rdl.cohort.charts import LIGHT, draw_worth, finish, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_rdl.compare.export import Measure
    from napari_rdl.compare.shapley import ModalityWorth
    from napari_rdl.compare.study import SubsetRow

ENDINGS = (".png", ".svg", ".pdf")
"""What a picture can be written as."""

_ROW = 0.2
_DPI = 300
_LARGER_IS_BETTER = ("dice", "volume_ml")


def draw_comparison(
    title: str,
    rows: Sequence[SubsetRow],
    modalities: Sequence[str],
    measure: Measure,
    worth: ModalityWorth | None,
) -> Figure:
    """Draw the rows of a table with one measure, and below it what each modality is worth.

    Parameters
    ----------
    title : str
    rows : sequence of SubsetRow
        In the order in which they are to stand.
    modalities : sequence of str
        A dot each says whether a row has it.
    measure : Measure
    worth : ModalityWorth or None
    """
    high = _ROW * (len(rows) + 3)
    figure = new_figure((5.4, high + (2.3 if worth is not None else 0)), LIGHT)
    if worth is None:
        table = figure.add_subplot()
    else:
        table, bars = figure.subplots(2, 1, height_ratios=[high, 2.3])
        draw_worth(bars, worth)
    finish(figure, LIGHT)
    _draw_rows(table, rows, modalities, measure)
    table.set_title(title, fontsize=9, loc="left", pad=16)
    return figure


def picture_bytes(figure: Figure, ending: str) -> bytes:
    """Return a picture as a file's content; nothing is cut, however long a name is.

    Raises
    ------
    ValueError
        If `ending` is none of `ENDINGS`.
    """
    if ending not in ENDINGS:
        raise ValueError(f"{ending!r} is no picture's ending: use {', '.join(ENDINGS)}.")
    from matplotlib import rc_context

    stream = io.BytesIO()
    # Letters stay letters, and no time stands in the file.
    dated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": None}[ending]
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "napari-rdl", "pdf.fonttype": 42}):
        figure.savefig(
            stream,
            format=ending[1:],
            dpi=_DPI,
            bbox_inches="tight",
            facecolor="white",
            metadata=dated,
        )
    return stream.getvalue()


def _draw_rows(axes: Axes, rows: Sequence[SubsetRow], modalities: Sequence[str], measure: Measure) -> None:
    count = len(modalities)
    values = np.array(
        [
            [np.nan if (value := measure.of(row, region)) is None else value for region in REGIONS]
            for row in rows
        ],
        float,
    ).reshape(len(rows), len(REGIONS))
    known = values[np.isfinite(values)]
    low, most = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if measure.name == "dice":
        low, most = 0.0, 1.0
    shares = (values - low) / (most - low if most > low else 1.0)
    better = measure.name in _LARGER_IS_BETTER
    axes.imshow(
        shares,
        cmap="viridis" if better else "viridis_r",
        vmin=0,
        vmax=1,
        aspect="auto",
        extent=(count - 0.5, count + len(REGIONS) - 0.5, len(rows) - 0.5, -0.5),
    )
    for y, row in enumerate(rows):
        for x, modality in enumerate(modalities):
            inside = "black" if modality in row.subset else "none"
            axes.plot([x], [y], "o", markersize=5, mec="#808890", mfc=inside, mew=0.8)
        for number, region in enumerate(REGIONS):
            share = shares[y, number]
            ink = "black" if np.isnan(share) or (share > 0.6) == better else "white"
            axes.text(
                count + number,
                y,
                measure.cell(row, region),
                ha="center",
                va="center",
                fontsize=7.5,
                color=ink,
            )
    axes.set_xlim(-0.5, count + len(REGIONS) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks(range(count + len(REGIONS)), [*modalities, *REGIONS])
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0, labelsize=8)
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
