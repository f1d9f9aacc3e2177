"""Charts of a study, as matplotlib figures that need no display and follow light and dark."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_rdl.brats import CLASS_COLOURS, REGIONS
from napari_rdl.cohort.tables import PooledTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_rdl.compare.shapley import ModalityWorth

Points = Mapping[str, Mapping[str, Sequence[float]]]
"""Region -> column -> values of single patients."""


@dataclass(frozen=True)
class Colours:
    """Of what is written, what lies behind it, and lines between."""

    text: str
    background: str
    line: str


LIGHT = Colours("#1c2126", "#ffffff", "#c9ced4")
DARK = Colours("#e4e7ea", "#1e2328", "#4a525b")

REGION_COLOURS: Mapping[str, str] = {"WT": CLASS_COLOURS[2], "TC": CLASS_COLOURS[1], "ET": "#e0a800"}
"""The colour of the class that a region adds; a darker yellow, to be read on white."""

_DOT_ROW = 0.19  # inches
_FONT = 8


def heat_map(
    table: PooledTable,
    title: str = "",
    *,
    colours: Colours = LIGHT,
    dots: Sequence[Sequence[str]] = (),
    modalities: Sequence[str] = (),
) -> Figure:
    """Draw a pooled table as the field's papers do: regions by subsets, coloured.

    Parameters
    ----------
    table : PooledTable
    title : str
    colours : Colours
    dots : sequence of sequence of str, optional
        The subsets of the columns (without the mean): drawn as a dot for each modality present.
    modalities : sequence of str
        The rows of dots.
    """
    rows = np.array([[np.nan if value is None else value for value in row] for row in table.values.values()])
    percent = table.measure == "dice"
    known = rows[np.isfinite(rows)]
    high = 100.0 if percent else float(known.max(initial=1e-9))
    width = 1.5 + 0.5 * len(table.columns)
    below = _DOT_ROW * len(modalities) if dots else 0.0
    figure = new_figure((width, 2.3 + below), colours)
    axes, under = _with_row_below(figure, below) if dots else (figure.add_subplot(), None)
    image = axes.imshow(rows, vmin=0, vmax=high, cmap="viridis" if percent else "viridis_r", aspect="auto")
    axes.set_xticks(range(len(table.columns)), table.columns, rotation=45, ha="right")
    axes.set_yticks(range(len(rows)), list(table.values))
    for (y, x), value in np.ndenumerate(rows):
        bright = (value / high > 0.6) == percent
        shown = "–" if np.isnan(value) else f"{value:.1f}"
        colour = colours.text if np.isnan(value) else "black" if bright else "white"
        axes.text(x, y, shown, ha="center", va="center", fontsize=_FONT, color=colour)
    axes.axvline(len(table.columns) - 1.5, color=colours.background, linewidth=2)
    figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01)
    if under is not None:
        axes.set_xticklabels([])
        axes.tick_params(length=0)
        _draw_dots(under, dots, modalities, len(table.columns), colours)
        under.set_xticks(range(len(table.columns)), table.columns, rotation=45, ha="right")
    axes.set_title(title, fontsize=9)
    finish(figure, colours)
    return figure


def boxes(
    values: Points,
    columns: Sequence[str],
    heading: str,
    *,
    colours: Colours = LIGHT,
    most: float | None = None,
) -> Figure:
    """Draw one row of boxes for each region: subsets along, a point for each patient.

    Parameters
    ----------
    values : Mapping
        Region -> column -> values of the patients.
    columns : sequence of str
        Titles of the subsets, in their order.
    heading : str
        Measure and unit.
    colours : Colours
    most : float, optional
        Upper end of the axis.
    """
    figure = new_figure((1.5 + 0.5 * len(columns), 1.7 * len(values) + 0.5), colours)
    panels = figure.subplots(len(values), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (region, by_column) in zip(panels, values.items(), strict=True):
        data = [list(by_column.get(column, ())) for column in columns]
        tint = REGION_COLOURS[region]
        drawn = axes.boxplot(
            data, positions=range(len(columns)), widths=0.6, showfliers=False, patch_artist=True
        )
        for box in drawn["boxes"]:
            box.set(facecolor=(*_rgb(tint), 0.35), edgecolor=tint)
        for part in ("whiskers", "caps", "medians"):
            for line in drawn[part]:
                line.set(color=tint)
        for x, column_values in enumerate(data):
            spread = np.linspace(-0.12, 0.12, len(column_values)) if len(column_values) > 1 else [0.0]
            axes.plot(
                x + np.asarray(spread)[: len(column_values)],
                column_values,
                ".",
                color=colours.text,
                markersize=3,
            )
        axes.set_ylabel(region)
        axes.set_ylim(0, most)
        axes.grid(axis="y", color=colours.line, linewidth=0.5)
        axes.set_axisbelow(True)
    panels[-1].set_xticks(range(len(columns)), columns, rotation=45, ha="right")
    panels[0].set_title(heading, fontsize=9)
    finish(figure, colours)
    return figure


def worth_bars(
    worth: ModalityWorth,
    *,
    colours: Colours = LIGHT,
    points: Points | None = None,
    size: tuple[float, float] = (5.0, 2.6),
    title: str = "",
) -> Figure:
    """Draw Shapley values: a group for each modality, a bar for each region.

    Parameters
    ----------
    worth : ModalityWorth
    colours : Colours
    points : Mapping, optional
        Region -> modality -> values of single patients, drawn over the bars' means.
    size : tuple of float
        Inches.
    title : str
    """
    figure = new_figure(size, colours)
    draw_worth(figure.add_subplot(), worth, colours=colours, points=points)
    figure.axes[0].set_title(title, fontsize=9)
    finish(figure, colours)
    return figure


def draw_worth(
    axes: Axes, worth: ModalityWorth, *, colours: Colours = LIGHT, points: Points | None = None
) -> None:
    """Draw Shapley values into axes; a region without value gets a dash."""
    factor, unit = (100, "Dice points") if worth.measure == "dice" else (1, "ml")
    names = next((tuple(values) for values in worth.values.values() if values), ())
    width = 0.8 / len(REGIONS)
    for number, (region, values) in enumerate(worth.values.items()):
        offset = (number - (len(REGIONS) - 1) / 2) * width
        places = np.arange(len(names)) + offset
        if values is None:
            axes.bar([0], [0], width, color=REGION_COLOURS[region], label=f"{region} –")
            for place in places:
                axes.text(place, 0, "–", ha="center", va="bottom", color=colours.text, fontsize=_FONT)
            continue
        heights = [factor * values[name] for name in names]
        axes.bar(places, heights, width * 0.92, color=REGION_COLOURS[region], label=region)
        for place, name in zip(places, names, strict=True):
            own = (points or {}).get(region, {}).get(name, ())
            axes.plot(
                [place] * len(own), [factor * one for one in own], ".", color=colours.text, markersize=3
            )
    axes.axhline(0, color=colours.text, linewidth=0.8)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylabel(f"Shapley value ({unit})", fontsize=_FONT)
    axes.grid(axis="y", color=colours.line, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.legend(fontsize=_FONT, frameon=False, ncols=3, labelcolor=colours.text)


def new_figure(size: tuple[float, float], colours: Colours) -> Figure:
    """Return an empty figure of `size` inches that draws itself without a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained", facecolor=colours.background)
    FigureCanvasAgg(figure)
    return figure


def finish(figure: Figure, colours: Colours) -> None:
    """Give all axes of a figure the colours."""
    for axes in figure.axes:
        axes.set_facecolor(colours.background)
        axes.tick_params(colors=colours.text, labelsize=_FONT)
        axes.title.set_color(colours.text)
        axes.xaxis.label.set_color(colours.text)
        axes.yaxis.label.set_color(colours.text)
        for spine in axes.spines.values():
            spine.set_color(colours.line)


def png(figure: Figure, dpi: int = 150) -> bytes:
    """Return a figure as PNG."""
    stream = io.BytesIO()
    figure.savefig(stream, dpi=dpi, format="png", facecolor=figure.get_facecolor())
    return stream.getvalue()


def _with_row_below(figure: Figure, height: float) -> tuple[Axes, Axes]:
    whole = float(figure.get_size_inches()[1])
    axes = figure.subplots(2, 1, height_ratios=[whole - height - 0.6, height])
    return axes[0], axes[1]


def _draw_dots(
    axes: Axes, subsets: Sequence[Sequence[str]], modalities: Sequence[str], columns: int, colours: Colours
) -> None:
    for y, modality in enumerate(modalities):
        filled = [x for x, subset in enumerate(subsets) if modality in subset]
        hollow = [x for x, subset in enumerate(subsets) if modality not in subset]
        axes.plot(filled, [y] * len(filled), "o", color=colours.text, markersize=5)
        axes.plot(hollow, [y] * len(hollow), "o", mfc="none", mec=colours.line, markersize=5)
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(len(modalities) - 0.5, -0.5)
    axes.set_yticks(range(len(modalities)), modalities)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)
