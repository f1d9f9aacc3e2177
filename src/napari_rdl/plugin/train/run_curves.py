"""Curves of one run, or of several in one picture, in napari's colours."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QRect
from qtpy.QtGui import QImage, QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_rdl.plugin.parts.tasks import LatestTask
from napari_rdl.plugin.train.curve_picture import CurveDrawer, CurvePicture, thinned
from napari_rdl.training.run.reader import Curves

logger = logging.getLogger(__name__)

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
