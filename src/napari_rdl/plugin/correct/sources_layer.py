"""The layer that shows who said what: a human's changes, and those of refinements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_rdl.correct import Source
from napari_rdl.plugin.viewer.appearance import keep_read_only, placement, redraw
from napari_rdl.plugin.viewer.layer_list import selection_kept
from napari_rdl.plugin.viewer.roles import Role, role_metadata

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_rdl.case import Case
    from napari_rdl.correct import History

_COLOURS: dict[int | None, str] = {
    None: "transparent",
    Source.MODEL.value: "transparent",
    Source.REFINEMENT.value: "#009988",
    Source.HUMAN.value: "#ee3377",
}
_NAMES = ["model", "refinement", "human"]


class SourcesLayer:
    """Shows a history's sources, which it shares."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._layer: Labels | None = None

    def show(self, case: Case | None, history: History | None) -> None:
        """Show a history's sources; None takes the layer away."""
        self.remove()
        if case is None or history is None:
            return
        self._layer = Labels(
            history.sources,
            name=f"{case.name} who changed what",
            colormap=DirectLabelColormap(color_dict=_COLOURS),
            features={"index": list(range(len(_NAMES))), "who": _NAMES},
            opacity=0.5,
            metadata=role_metadata(Role.COMPARISON, case, subject="sources"),
            **placement(case.grid),
        )
        keep_read_only(self._layer)
        with selection_kept(self._viewer):
            self._viewer.add_layer(self._layer)

    def redraw(self) -> None:
        """Show what changed."""
        if self._layer is not None:
            redraw(self._layer)

    def remove(self) -> None:
        """Take the layer out of the viewer."""
        if self._layer is not None and self._layer in self._viewer.layers:
            self._viewer.layers.remove(self._layer)
        self._layer = None
