"""Curves of one run, or of several in one picture, in napari's colours.

matplotlib draws them without Qt, off the GUI's thread: it takes some 40 ms for a picture of this kind, and a
third of a second to load.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QRect
from qtpy.QtGui import QImage, QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_rdl.plugin.parts.tasks import LatestTask
from napari_rdl.training.run.growing import Curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

logger = logging.getLogger(__name__)

COLOURS = ("#4c9be8", "#f2a541", "#5fbf77", "#d9678b", "#a586e0", "#5bc2c4", "#c9b458", "#9a9a9a")
"""Told apart on dark and on light ground."""

MOST_POINTS = 400
_DPI = 100

Points = tuple[NDArray[np.float64], NDArray[np.float64]]
HEIGHT = 270
_TITLES = {
    "loss": "total",
    "dice": "Dice",
    "divergence": "divergence",
    "region_dice": "region Dice",
    "mutual_information": "mutual inf.",
    "mean": "mean",
}

Series = Mapping[str, tuple[Sequence[float], Sequence[float]]]


@dataclass(frozen=True)
class CurvePicture:
    """What is to be drawn.

    Attributes
    ----------
    losses, dice : mapping
        Name -> steps and values, the most important first.
    width, height : int
        In pixels of the screen as Qt counts them.
    ratio : float
        Real pixels for each of these.
    background, text, line : str
        Colours as ``#rrggbb``.
    """

    losses: Mapping[str, Points]
    dice: Mapping[str, Points]
    width: int
    height: int
    ratio: float
    background: str
    text: str
    line: str

    def counts(self) -> dict[str, int]:
        """Return the points of each curve, by ``loss NAME`` and ``Dice NAME``."""
        kinds = (("loss", self.losses), ("Dice", self.dice))
        return {f"{kind} {name}": len(x) for kind, curves in kinds for name, (x, _) in curves.items()}


class CurveDrawer:
    """Draws one picture after another on one figure.

    The figure is made once: matplotlib's objects refer to one another in circles, and throwing them away at
    each picture has Python's garbage collector stop everything for a fifth of a second now and then. One
    picture at a time.
    """

    def __init__(self) -> None:
        self._figure: Figure | None = None
        self._canvas: FigureCanvasAgg | None = None
        self._axes: tuple[Axes, Axes] | None = None
        self._lines: dict[str, Line2D] = {}
        self._made_for: object = None

    def draw(self, picture: CurvePicture) -> NDArray[np.uint8]:
        """Return the picture (rows, columns, 4), RGBA: loss above, validation Dice below, over the steps."""
        if self._figure is None:
            self._make_figure()
        assert self._figure is not None
        assert self._canvas is not None
        assert self._axes is not None
        upper, lower = self._axes
        self._figure.set_dpi(_DPI * picture.ratio)
        self._figure.set_size_inches(max(picture.width, 50) / _DPI, max(picture.height, 50) / _DPI)
        made_for = (
            tuple(picture.losses),
            tuple(picture.dice),
            picture.background,
            picture.text,
            picture.line,
        )
        if made_for != self._made_for:
            self._figure.set_facecolor(picture.background)
            self._lines = {}
            for axes, title, names in ((upper, "Loss", picture.losses), (lower, "Dice", picture.dice)):
                axes.clear()
                self._plot(axes, title, list(names), picture)
            self._made_for = made_for
        for title, curves in (("Loss", picture.losses), ("Dice", picture.dice)):
            for name, (x, y) in curves.items():
                line = self._lines[f"{title} {name}"]
                line.set_data(x, y)
                # Few values are hardly a line.
                line.set_marker("o" if title == "Dice" or len(x) < 3 else "")
        for axes in self._axes:
            axes.relim()
            axes.autoscale(True)
            axes.autoscale_view()
        low, high = upper.get_ylim()
        # Room for the legend above the curves.
        upper.set_ylim(min(low, 0), high + 0.35 * (high - low))
        lower.set_ylim(0, 1)
        self._canvas.draw()
        return np.asarray(self._canvas.buffer_rgba()).copy()

    def _make_figure(self) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._figure = Figure()
        self._canvas = FigureCanvasAgg(self._figure)
        upper, lower = self._figure.subplots(2, 1, sharex=True)
        # Fixed margins: a layout that is computed costs more than the drawing.
        self._figure.subplots_adjust(left=0.13, right=0.98, top=0.93, bottom=0.1, hspace=0.28)
        self._axes = (upper, lower)

    def _plot(self, axes: Axes, title: str, names: Sequence[str], look: CurvePicture) -> None:
        from matplotlib.ticker import MaxNLocator

        for number, name in enumerate(names):
            (line,) = axes.plot(
                [],
                [],
                label=name,
                color=COLOURS[number % len(COLOURS)],
                linewidth=1.0 if number else 1.6,
                markersize=3,
                zorder=2 if number else 3,
            )
            self._lines[f"{title} {name}"] = line
        shown = title if title == "Loss" else "Validation Dice"
        axes.set_title(shown, loc="left", color=look.text, fontsize=8, pad=3)
        axes.set_facecolor(look.background)
        axes.tick_params(colors=look.text, labelsize=7, length=2, pad=2)
        # A step is whole, in a run of few steps too.
        axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
        axes.grid(True, color=look.line, linewidth=0.5, alpha=0.4)
        for spine in axes.spines.values():
            spine.set_color(look.line)
        if names:
            axes.legend(
                fontsize=7,
                frameon=False,
                ncols=2,
                loc="upper right" if title == "Loss" else "upper left",
                labelcolor=look.text,
                handlelength=1.2,
                columnspacing=0.8,
                borderaxespad=0.1,
                labelspacing=0.2,
            )


def thinned(steps: Sequence[float], values: Sequence[float]) -> Points:
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


class RunCurves(QWidget):
    """Loss above, validation Dice below, over the steps; the picture is drawn in a thread."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = {"background": "#262930", "text": "#f0f1f2", "line": "#5a626c"}
        self._series: tuple[Series, Series] | None = None
        self._image: QImage | None = None
        self.drawn: dict[str, int] = {}
        self._drawer = CurveDrawer()
        self.tasks = LatestTask(self)
        self.tasks.failed.connect(self._on_error)
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
        self._draw()

    def show_run(self, curves: Curves, left_out: Iterable[str]) -> None:
        """Show one run: the loss and its terms but those left out, Dice of each region and the mean."""
        hidden = set(left_out)
        losses = {
            _TITLES.get(name, name): (curves.steps, values)
            for name, values in curves.losses.items()
            if name not in hidden
        }
        dice = {_TITLES.get(name, name): (curves.validated, values) for name, values in curves.dice.items()}
        self._show(losses, dice)

    def compare(self, runs: Mapping[str, Curves]) -> None:
        """Show several runs by name: the total loss and the mean Dice of each."""
        losses = {name: (curves.steps, curves.losses.get("loss", [])) for name, curves in runs.items()}
        dice = {name: (curves.validated, curves.dice.get("mean", [])) for name, curves in runs.items()}
        self._show(losses, dice)

    def _show(self, losses: Series, dice: Series) -> None:
        there = any(len(steps) for steps, _ in [*losses.values(), *dice.values()])
        self._series = (losses, dice) if there else None
        self.setVisible(there)
        if there:
            self._draw()
        else:
            self.drawn = {}

    def _draw(self) -> None:
        """Draw what is to be shown; a drawing under way ends first, and what came meanwhile is skipped."""
        if self._series is None:
            return
        losses, dice = (
            {name: thinned(steps, values) for name, (steps, values) in series.items()}
            for series in self._series
        )
        picture = CurvePicture(
            losses, dice, self.width(), self.height(), self.devicePixelRatioF(), **self._theme
        )
        drawer = self._drawer
        self.tasks.ask(
            lambda _progress, _cancelled: drawer.draw(picture),
            lambda pixels: self._on_drawn(picture, pixels),
            let_end=True,
        )

    def _on_drawn(self, picture: CurvePicture, pixels: NDArray[np.uint8]) -> None:
        height, width = pixels.shape[:2]
        # QImage does not keep the array; a copy keeps its own pixels.
        image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()
        image.setDevicePixelRatio(picture.ratio)
        self._image = image
        self.drawn = picture.counts()
        self.update()

    def _on_error(self, error: Exception) -> None:
        logger.error("The curves cannot be drawn", exc_info=error)

    def paintEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Show the picture; while one of another width is awaited, the last one stretched."""
        del event
        if self._image is not None:
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(QRect(0, 0, self.width(), self.height()), self._image)
            painter.end()

    def resizeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Draw for the new width."""
        super().resizeEvent(event)
        self._draw()
