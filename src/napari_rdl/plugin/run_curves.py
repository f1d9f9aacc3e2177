"""Curves of one run, or of several in one picture, in napari's colours.

matplotlib is loaded with the first curve: it costs a third of a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_rdl.plugin.run_reader import Curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
    from matplotlib.lines import Line2D

HEIGHT = 270
MOST_POINTS = 400
_TITLES = {
    "loss": "total",
    "dice": "Dice",
    "divergence": "divergence",
    "region_dice": "region Dice",
    "mutual_information": "mutual inf.",
    "mean": "mean",
}
COLOURS = ("#4c9be8", "#f2a541", "#5fbf77", "#d9678b", "#a586e0", "#5bc2c4", "#c9b458", "#9a9a9a")
"""Told apart on dark and on light ground."""

Points = tuple[Sequence[float], Sequence[float]]


class RunCurves(QWidget):
    """Loss above, validation Dice below, over the steps."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = {"background": "#262930", "text": "#f0f1f2", "line": "#5a626c"}
        self._canvas: FigureCanvasQTAgg | None = None
        self._axes: tuple[Axes, Axes] | None = None
        self._lines: dict[tuple[int, str], Line2D] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.setFixedHeight(HEIGHT)
        self.setToolTip(
            "Above: loss and its terms. Below: hard Dice on validation patients, mean over the subsets of "
            "modalities. Both over optimiser steps."
        )
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setVisible(False)

    def set_theme(self, background: str, text: str, line: str) -> None:
        """Take the theme's colours, as ``#rrggbb``."""
        self._theme = {"background": background, "text": text, "line": line}
        if self._canvas is not None:
            self._colour()
            self._canvas.draw_idle()

    def show_run(self, curves: Curves, left_out: set[str]) -> None:
        """Show one run: the loss and its terms but those left out, Dice of each region and the mean."""
        losses = {
            _TITLES.get(name, name): (curves.steps, values)
            for name, values in curves.losses.items()
            if name not in left_out
        }
        dice = {_TITLES.get(name, name): (curves.validated, values) for name, values in curves.dice.items()}
        self._show(losses, dice)

    def compare(self, runs: Mapping[str, Curves]) -> None:
        """Show several runs by name: the total loss and the mean Dice of each."""
        losses = {name: (curves.steps, curves.losses.get("loss", [])) for name, curves in runs.items()}
        dice = {name: (curves.validated, curves.dice.get("mean", [])) for name, curves in runs.items()}
        self._show(losses, dice)

    @property
    def drawn(self) -> dict[str, int]:
        """Name of each curve -> points drawn, loss and Dice curves told apart by a prefix."""
        kinds = ("loss", "Dice")
        return {
            f"{kinds[place]} {name}": len(line.get_xdata()) for (place, name), line in self._lines.items()
        }

    def _show(self, losses: Mapping[str, Points], dice: Mapping[str, Points]) -> None:
        wanted = {(0, name): points for name, points in losses.items()}
        wanted |= {(1, name): points for name, points in dice.items()}
        if not any(len(steps) for steps, _ in wanted.values()):
            self.setVisible(False)
            return
        if self._canvas is None:
            self._make_canvas()
        assert self._axes is not None
        assert self._canvas is not None
        if wanted.keys() != self._lines.keys():
            self._make_lines(list(wanted))
        for key, (steps, values) in wanted.items():
            x, y = thinned(steps, values)
            self._lines[key].set_data(x, y)
            # A single value is no line.
            self._lines[key].set_marker("o" if len(x) < 3 or key[0] == 1 else "")
        for axes in self._axes:
            axes.relim()
            axes.autoscale(True)
            axes.autoscale_view()
        # Room for the legend above the curves.
        low, high = self._axes[0].get_ylim()
        self._axes[0].set_ylim(min(low, 0), high + 0.35 * (high - low))
        self._axes[1].set_ylim(0, 1)
        self.setVisible(True)
        self._canvas.draw_idle()

    def _make_canvas(self) -> None:
        from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
        from matplotlib.figure import Figure

        figure = Figure()
        # Fixed margins: a layout that is computed costs more than the drawing.
        upper, lower = figure.subplots(2, 1, sharex=True)
        figure.subplots_adjust(left=0.13, right=0.98, top=0.93, bottom=0.1, hspace=0.28)
        self._axes = (upper, lower)
        self._canvas = FigureCanvasQTAgg(figure)
        self._canvas.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        # The wheel scrolls the panel, and the tooltip is this widget's.
        self._canvas.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._layout.addWidget(self._canvas)

    def _make_lines(self, keys: Sequence[tuple[int, str]]) -> None:
        assert self._axes is not None
        self._lines = {}
        for place, axes in enumerate(self._axes):
            axes.clear()
            for number, name in enumerate(name for where, name in keys if where == place):
                first = number == 0
                (line,) = axes.plot(
                    [],
                    [],
                    label=name,
                    color=COLOURS[number % len(COLOURS)],
                    linewidth=1.6 if first else 1.0,
                    markersize=3,
                    zorder=3 if first else 2,
                )
                self._lines[place, name] = line
            axes.set_title("Loss" if place == 0 else "Validation Dice", loc="left")
            if not axes.lines:
                continue
            axes.legend(
                fontsize=7,
                frameon=False,
                ncols=2,
                loc="upper right" if place == 0 else "upper left",
                handlelength=1.2,
                columnspacing=0.8,
                borderaxespad=0.1,
                labelspacing=0.2,
            )
        self._colour()

    def _colour(self) -> None:
        assert self._axes is not None
        ground, text, line = (self._theme[name] for name in ("background", "text", "line"))
        self._axes[0].figure.set_facecolor(ground)
        for axes in self._axes:
            axes.set_facecolor(ground)
            axes.tick_params(colors=text, labelsize=7, length=2, pad=2)
            axes.grid(True, color=line, linewidth=0.5, alpha=0.4)
            axes.set_title(axes.get_title(loc="left"), loc="left", color=text, fontsize=8, pad=3)
            for spine in axes.spines.values():
                spine.set_color(line)
            legend = axes.get_legend()
            for label in legend.get_texts() if legend is not None else ():
                label.set_color(text)


def thinned(steps: Sequence[float], values: Sequence[float]) -> tuple[Any, Any]:
    """Return at most `MOST_POINTS` points, each the mean of its neighbours."""
    # A look that is under way may have added to one of them already.
    count = min(len(steps), len(values))
    x, y = np.asarray(steps[:count], float), np.asarray(values[:count], float)
    if count <= MOST_POINTS:
        return x, y
    size = -(-count // MOST_POINTS)
    edges = np.arange(0, count, size)
    lengths = np.diff([*edges, count])
    return np.add.reduceat(x, edges) / lengths, np.add.reduceat(y, edges) / lengths
