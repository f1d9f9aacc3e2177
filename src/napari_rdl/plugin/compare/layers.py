"""The layers that the widget adds: one for each purpose, made once, reused, gone with the patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import Colormap, DirectLabelColormap

from napari_rdl.plugin.viewer.appearance import keep_read_only, placement, redraw
from napari_rdl.plugin.viewer.layer_list import selection_kept
from napari_rdl.plugin.viewer.roles import LAYER_KEY, Role, plugin_metadata, role_metadata

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_rdl.case import Case

CHANGES = ("difference", "where")
"""What one label map has and another has not."""

DOUBTS = ("agreement", "entropy")
"""How sure labels are."""

_PURPOSES = {**dict.fromkeys(CHANGES, CHANGES), **dict.fromkeys(DOUBTS, DOUBTS)}


class CompareLayers:
    """The viewer's layers of comparisons. Main thread only.

    Subjects that serve one purpose share a layer: it shows the one that was asked for last.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._layers: dict[tuple[str, ...], Layer] = {}
        self._seen: dict[tuple[str, ...], dict[int | None, str]] = {}

    def get(self, subject: str) -> Layer | None:
        """Return the layer that shows a subject, or None where none does."""
        layer = self._layers.get(_purpose(subject))
        return layer if layer is not None and plugin_metadata(layer).get("subject") == subject else None

    def show_labels(
        self,
        case: Case,
        subject: str,
        values: NDArray[np.uint8],
        colours: dict[int, str],
        names: list[str],
        *,
        role: Role = Role.COMPARISON,
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
        role : Role
            What the values are: `Role.STUDIED` for class indices of the case.
        """
        layer = self._layers.get(_purpose(subject))
        seen: dict[int | None, str] = {None: "transparent", 0: "transparent"}
        seen.update((value, colour) for value, colour in colours.items())
        colormap = DirectLabelColormap(color_dict=seen)
        if layer is None:
            layer = Labels(
                np.array(values),
                colormap=colormap,
                opacity=0.7,
                metadata=role_metadata(role, case, subject=subject),
                **placement(case.grid),
            )
            keep_read_only(layer)
            self._layers[_purpose(subject)] = layer
        self._turn_to(layer, case, subject)
        if self._seen.get(_purpose(subject)) != seen:
            self._seen[_purpose(subject)] = seen
            for one in (layer, *plugin_metadata(layer).get("twins", ())):
                one.colormap = colormap
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
    ) -> Image:
        """Show a map of shares (X, Y, Z) on the case's grid, with its colour bar; return the layer."""
        layer = self._layers.get(_purpose(subject))
        if layer is None:
            layer = Image(
                np.array(values),
                colormap=colormap,
                contrast_limits=limits,
                blending="translucent_no_depth",
                metadata=role_metadata(Role.COMPARISON, case, subject=subject),
                **placement(case.grid),
            )
            layer.colorbar.visible = True
            self._layers[_purpose(subject)] = layer
        self._turn_to(layer, case, subject)
        layer.colormap, layer.contrast_limits = colormap, limits
        np.copyto(layer.data, values)
        self._bring(layer)
        layer.refresh(highlight=False, extent=False)
        return layer

    def hide(self, subject: str) -> None:
        """Take a subject out of sight; its layer is used again when it is shown again."""
        layer = self.get(subject)
        if layer is not None:
            layer.visible = False

    def clear(self) -> None:
        """Take all of them out of the viewer."""
        for layer in self._layers.values():
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._layers.clear()
        self._seen.clear()

    @staticmethod
    def _turn_to(layer: Layer, case: Case, subject: str) -> None:
        layer.metadata[LAYER_KEY]["subject"] = subject
        layer.name = f"{case.name} {subject}"

    def _bring(self, layer: Layer) -> None:
        if layer not in self._viewer.layers:
            with selection_kept(self._viewer):
                self._viewer.add_layer(layer)
        layer.visible = True


def _purpose(subject: str) -> tuple[str, ...]:
    return _PURPOSES.get(subject, (subject,))
