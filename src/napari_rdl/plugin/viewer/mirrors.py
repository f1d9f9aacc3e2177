"""The layers of one viewer, shown in another: the same arrays and looks, painted on from either side."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels, Layer

from napari_rdl.plugin.viewer.appearance import placed_as, redraw
from napari_rdl.plugin.viewer.layer_list import layers_removed
from napari_rdl.plugin.viewer.roles import LAYER_KEY, Role, plugin_metadata, role_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.components import ViewerModel
    from napari.utils.events import Event
    from napari.viewer import Viewer

_OF_ALL = ("visible", "opacity", "blending")
_OF_IMAGES = ("contrast_limits", "gamma", "colormap")
_OF_LABELS = ("colormap", "contour", "mode", "selected_label", "brush_size", "preserve_labels")
_FROM_MIRRORS = ("mode", "selected_label", "brush_size")
"""What may be changed in the other viewer too."""
_UNDO_KEYS = ("Ctrl+Z", "Ctrl+Shift+Z")


class Mirrors:
    """Keeps the three-dimensional images and labels of `source` in `target`, until `close`."""

    def __init__(self, source: Viewer, target: ViewerModel) -> None:
        self._source = source
        self._target = target
        self._pairs: dict[Layer, Layer] = {}
        self._undone: dict[Layer, list[Callable[[], None]]] = {}
        self._linking = False
        events = source.layers.events
        events.inserted.connect(self._on_layers)
        events.removed.connect(self._on_layers)
        events.moved.connect(self._on_layers)
        source.layers.selection.events.active.connect(self._on_active)
        self._on_layers()

    def close(self) -> None:
        """Let go of both viewers."""
        events = self._source.layers.events
        for event in (events.inserted, events.removed, events.moved):
            event.disconnect(self._on_layers)
        self._source.layers.selection.events.active.disconnect(self._on_active)
        with layers_removed():
            for layer in list(self._pairs):
                self._drop(layer)

    def of(self, layer: Layer) -> Layer | None:
        """Return a layer's mirror."""
        return self._pairs.get(layer)

    def _on_layers(self, event: Event | None = None) -> None:
        del event
        wanted = [layer for layer in self._source.layers if _can_be_mirrored(layer)]
        for layer in [one for one in self._pairs if one not in wanted]:
            self._drop(layer)
        for layer in wanted:
            if layer not in self._pairs:
                self._add(layer)
        for place, layer in enumerate(wanted):
            here = self._target.layers.index(self._pairs[layer])
            if here != place:
                self._target.layers.move(here, place)
        self._on_active()

    def _on_active(self, event: Event | None = None) -> None:
        del event
        active = self._source.layers.selection.active
        mirror = self._pairs.get(active) if active is not None else None
        if mirror is not None:
            self._target.layers.selection.active = mirror

    def _add(self, layer: Layer) -> None:
        names = (*_OF_ALL, *(_OF_LABELS if isinstance(layer, Labels) else _OF_IMAGES))
        settings = {
            "name": layer.name,
            # What the layer is, so that letters are shown; its twins and mirrors are its own.
            "metadata": {LAYER_KEY: {"role": Role.TWIN, "case": plugin_metadata(layer).get("case")}},
            "visible": layer.visible,
            **placed_as(layer),
        }
        mirror = type(layer)(layer.data, **settings)
        for name in names:
            if name != "mode":
                setattr(mirror, name, getattr(layer, name))
        if isinstance(layer, Labels):
            mirror.editable = layer.editable
            if layer.editable:
                mirror.mode = layer.mode
        # No status is worked out for a cursor that was never over this canvas.
        self._target.layers.append(mirror)
        self._pairs[layer] = mirror
        layer.metadata.setdefault(LAYER_KEY, {}).setdefault("mirrors", []).append(mirror)
        undo: list[Callable[[], None]] = []

        def link(one: Layer, other: Layer, name: str) -> None:
            emitter = getattr(one.events, name)

            def follow(_event: object = None) -> None:
                with self._linked() as free:
                    if free and not (name == "mode" and not other.editable):
                        setattr(other, name, getattr(one, name))

            emitter.connect(follow)
            undo.append(lambda: emitter.disconnect(follow))

        for name in names:
            link(layer, mirror, name)
            if name in _FROM_MIRRORS and isinstance(layer, Labels):
                link(mirror, layer, name)
        self._follow_data(layer, mirror, undo)
        self._undone[layer] = undo

    def _follow_data(self, layer: Layer, mirror: Layer, undo: list[Callable[[], None]]) -> None:
        def on_data(_event: object = None) -> None:
            if mirror.data is not layer.data:
                mirror.data = layer.data

        layer.events.data.connect(on_data)
        undo.append(lambda: layer.events.data.disconnect(on_data))
        if not isinstance(layer, Labels):
            return

        def on_paint(_event: object = None) -> None:
            if not self._linking:
                redraw(layer)

        def on_mirror_paint(event: Any) -> None:
            # Whoever follows the layer hears of it as if it had been painted on itself.
            with self._linked() as free:
                if free:
                    redraw(layer)
                    layer.events.paint(value=event.value)

        layer.events.paint.connect(on_paint)
        mirror.events.paint.connect(on_mirror_paint)
        undo.append(lambda: layer.events.paint.disconnect(on_paint))
        undo.append(lambda: mirror.events.paint.disconnect(on_mirror_paint))
        for name, key in zip(("undo", "redo"), _UNDO_KEYS, strict=True):
            mirror.bind_key(key, _taken_back(layer, name, key), overwrite=True)

    @contextmanager
    def _linked(self) -> Iterator[bool]:
        """Tell whether this is no echo of a change that is being passed on."""
        free, self._linking = not self._linking, True
        try:
            yield free
        finally:
            if free:
                self._linking = False

    def _drop(self, layer: Layer) -> None:
        mirror = self._pairs.pop(layer)
        for end in self._undone.pop(layer):
            end()
        mirrors = layer.metadata.get(LAYER_KEY, {}).get("mirrors", [])
        if mirror in mirrors:
            mirrors.remove(mirror)
        if layer.metadata.get(LAYER_KEY) == {"mirrors": []}:
            del layer.metadata[LAYER_KEY]
        if mirror in self._target.layers:
            self._target.layers.remove(mirror)


def _taken_back(layer: Labels, name: str, key: str) -> Callable[[object], None]:
    """Return what takes a step back on the layer itself, by whoever has its key now."""

    def act(_mirror: object) -> None:
        from napari.utils.key_bindings import coerce_keybinding

        own = layer.keymap.get(coerce_keybinding(key))
        if own is not None:
            own(layer)
        else:
            getattr(layer, name)()
        redraw(layer)

    return act


def _can_be_mirrored(layer: Layer) -> bool:
    if not isinstance(layer, Image | Labels) or layer.ndim != 3 or role_of(layer) is Role.TWIN:
        return False
    return not (layer.multiscale or getattr(layer, "rgb", False))
