"""The layers that the widget adds: one for each subject, made once, reused, gone with the patient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import Colormap, DirectLabelColormap
from qtpy.QtCore import QObject, Signal

from napari_rdl.plugin.parts.tasks import TaskRunner
from napari_rdl.plugin.viewer.layers import LAYER_KEY, placement
from napari_rdl.plugin.viewer.prediction import keep_read_only, redraw

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_rdl.callbacks import IsCancelled, Progress
    from napari_rdl.case import Case

ROLE = "compare"


class CompareLayers:
    """The viewer's layers of comparisons, by subject. Main thread only."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._layers: dict[str, Layer] = {}

    def get(self, subject: str) -> Layer | None:
        """Return a subject's layer, or None where it was not made yet."""
        return self._layers.get(subject)

    def show_labels(
        self, case: Case, subject: str, values: NDArray[np.uint8], colours: dict[int, str], names: list[str]
    ) -> None:
        """Show a map of small numbers (X, Y, Z) on the case's grid.

        Parameters
        ----------
        subject : str
            What the layer is called after the patient's name.
        colours : dict
            Value -> colour.
        names : list of str
            What each value means, 0 first.
        """
        layer = self._layers.get(subject)
        if layer is None:
            layer = Labels(
                np.array(values),
                name=f"{case.name} {subject}",
                colormap=DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", **colours}),
                opacity=0.7,
                metadata=_metadata(case, subject),
                **placement(case.grid),
            )
            keep_read_only(layer)
            self._layers[subject] = layer
        np.copyto(layer.data, values)
        layer.features = {"index": list(range(len(names))), "voxels": names}
        self._bring(layer)
        redraw(layer, thumbnail=True)

    def show_image(
        self,
        case: Case,
        subject: str,
        values: NDArray[np.float32],
        colormap: Colormap,
        limits: tuple[float, float],
    ) -> None:
        """Show a map of shares (X, Y, Z) on the case's grid."""
        layer = self._layers.get(subject)
        if layer is None:
            layer = Image(
                np.array(values),
                name=f"{case.name} {subject}",
                colormap=colormap,
                contrast_limits=limits,
                blending="translucent_no_depth",
                metadata=_metadata(case, subject),
                **placement(case.grid),
            )
            self._layers[subject] = layer
        np.copyto(layer.data, values)
        self._bring(layer)
        layer.refresh(highlight=False, extent=False)

    def hide(self, subject: str) -> None:
        """Take a layer out of sight; it is used again when it is shown again."""
        layer = self._layers.get(subject)
        if layer is not None:
            layer.visible = False

    def clear(self) -> None:
        """Take all of them out of the viewer."""
        for layer in self._layers.values():
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._layers.clear()

    def _bring(self, layer: Layer) -> None:
        if layer not in self._viewer.layers:
            with selection_kept(self._viewer):
                self._viewer.add_layer(layer)
        layer.visible = True


class VolumeWorker(QObject):
    """Computes one volume at a time off the GUI's thread; the last one asked for wins.

    Signals
    -------
    failed : Exception
    """

    failed = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._runner = TaskRunner(self)
        self._wanted: tuple[Callable[[], Any], Callable[[Any], None]] | None = None

    @property
    def busy(self) -> bool:
        """Whether something is computed."""
        return self._runner.busy

    def ask(self, compute: Callable[[], Any], on_done: Callable[[Any], None]) -> None:
        """Compute in a thread, then call `on_done` on the GUI's, unless something else is asked meanwhile."""
        self._wanted = (compute, on_done)
        if self._runner.busy:
            self._runner.cancel()
        else:
            self._start()

    def stop(self) -> None:
        """Want nothing any more."""
        self._wanted = None
        self._runner.cancel()

    def shut_down(self) -> None:
        """Stop at once: the viewer is closing."""
        self._wanted = None
        self._runner.shut_down()

    def _start(self) -> None:
        if self._wanted is None:
            return
        (compute, on_done), self._wanted = self._wanted, None

        def work(progress: Progress, cancelled: IsCancelled) -> Any:
            return compute()

        def done(result: Any) -> None:
            if self._wanted is None:
                on_done(result)
            else:
                self._start()

        self._runner.start(work, done, self._on_failed, self._start)

    def _on_failed(self, error: Exception) -> None:
        self.failed.emit(error)
        self._start()


@contextmanager
def selection_kept(viewer: Viewer) -> Iterator[None]:
    """Leave selected what the user selected, though layers are added."""
    active = viewer.layers.selection.active
    yield
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active


def _metadata(case: Case, subject: str) -> dict[str, Any]:
    return {LAYER_KEY: {"role": ROLE, "subject": subject, "case": case.name, "source": case}}
