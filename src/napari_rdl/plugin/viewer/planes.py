"""How a brain lies on the screen: the three planes in radiological orientation, and the letters.

In every plane the patient's left is on the right of the picture (anterior on its left in the
sagittal one), anterior or superior is up. All of it is `dims.order` and the camera's orientation;
no layer is ever mirrored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.components.overlays import TextOverlay

from napari_rdl.plugin.settings import plugin_settings
from napari_rdl.plugin.viewer.roles import plugin_metadata

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.utils.events import Event

PLANES: dict[str, tuple[int, int, int]] = {"axial": (2, 1, 0), "coronal": (1, 2, 0), "sagittal": (0, 2, 1)}
"""Plane -> world axes as (through the plane, up the picture, across it)."""

# Depth axis of the 3D view: the direction that keeps the volume from being mirrored. With the patient's
# left on the right and anterior up one looks from the feet, so superior points away from the viewer.
_DEPTH = {"axial": "away", "coronal": "towards", "sagittal": "away"}

_LETTERS = (("L", "R"), ("P", "A"), ("I", "S"))
"""Per world axis: what its low and its high end are called."""

_EDGES = {
    "top": "top_center",
    "bottom": "bottom_center",
    "left": "middle_left",
    "right": "middle_right",
}


def show_plane(viewer: ViewerModel, plane: str, *, letters: bool = True) -> None:
    """Show ``"axial"``, ``"coronal"`` or ``"sagittal"`` slices, fitted to the canvas, with letters.

    The place in the patient is kept.

    Parameters
    ----------
    letters : bool
        False where the first picture is waited for: the caller shows them when it stands.

    Raises
    ------
    ValueError
        If `plane` is none of the three.
    """
    if plane not in PLANES:
        raise ValueError(f"{plane!r} is no plane: use {', '.join(PLANES)}.")
    if viewer.dims.ndim < 3:
        return
    # Axes that other layers add in front stay in front.
    front = viewer.dims.ndim - 3
    viewer.dims.order = (*range(front), *(front + axis for axis in PLANES[plane]))
    viewer.scene.camera.orientation = (_DEPTH[plane], "up", "left")
    if letters:
        show_orientation_letters(viewer)
    viewer.reset_view()


def current_plane(viewer: ViewerModel) -> str | None:
    """Return the plane that the viewer shows, or None if it is none of the three."""
    front = viewer.dims.ndim - 3
    order = tuple(axis - front for axis in viewer.dims.order[-3:])
    return next((plane for plane, axes in PLANES.items() if axes == order), None)


def edge_letters(displayed: tuple[int, ...], orientation2d: tuple[str, str]) -> dict[str, str]:
    """Return the letter at each edge of the picture.

    Parameters
    ----------
    displayed : tuple of int
        World axis up and across the picture (0 x, 1 y, 2 z).
    orientation2d : tuple of str
        Where each of the two grows: ``"up"`` or ``"down"``, ``"left"`` or ``"right"``.

    Returns
    -------
    dict of str to str
        ``top``, ``bottom``, ``left``, ``right`` -> one of R, L, A, P, S, I.
    """
    vertical, horizontal = (_LETTERS[axis] for axis in displayed)
    grows_up = str(orientation2d[0]) == "up"
    grows_left = str(orientation2d[1]) == "left"
    return {
        "top": vertical[grows_up],
        "bottom": vertical[not grows_up],
        "left": horizontal[grows_left],
        "right": horizontal[not grows_left],
    }


def show_orientation_letters(viewer: ViewerModel, on: bool = True) -> None:
    """Write R, L, A, P, S, I at the canvas's edges, or take them away.

    Once, not in every cell of a grid: all cells lie the same way, and napari takes a tenth of a second to get
    one text drawn.

    The letters follow the axes shown and the camera, whoever changes them, and are hidden where they
    would tell nothing: in 3D, and without a patient's layer.
    """
    overlays = viewer.canvas.overlays
    if on and _overlay_name("top") not in overlays:
        for edge, position in _EDGES.items():
            overlays[_overlay_name(edge)] = TextOverlay(
                position=position, font_size=14, color="#ffb000", box=False
            )

        def follow(event: Event | None = None) -> None:
            _update_letters(viewer)

        viewer.dims.events.order.connect(follow)
        viewer.dims.events.ndim.connect(follow)
        viewer.dims.events.ndisplay.connect(follow)
        viewer.scene.camera.events.orientation.connect(follow)
        viewer.layers.events.inserted.connect(follow)
        viewer.layers.events.removed.connect(follow)
    if _overlay_name("top") in overlays:
        for edge in _EDGES:
            overlays[_overlay_name(edge)].opacity = float(on)
        _update_letters(viewer)


def show_new_patient(viewer: ViewerModel) -> None:
    """Turn an empty viewer to the plane of the settings as soon as it gets a patient's layer.

    A reader only returns data; this is how a folder dropped on napari comes up the right way round.
    """
    if len(viewer.layers):
        return

    def turn(event: Event) -> None:
        viewer.layers.events.inserted.disconnect(turn)
        if plugin_metadata(event.value):
            show_plane(viewer, plugin_settings().default_plane)

    # After napari's own listeners, which give the viewer its three axes.
    viewer.layers.events.inserted.connect(turn, position="last")


def _overlay_name(edge: str) -> str:
    return f"napari_rdl_{edge}"


def _update_letters(viewer: ViewerModel) -> None:
    front = viewer.dims.ndim - 3
    displayed = tuple(axis - front for axis in viewer.dims.displayed)
    tell = (
        len(displayed) == 2 and min(displayed) >= 0 and any(plugin_metadata(layer) for layer in viewer.layers)
    )
    letters = edge_letters(displayed, viewer.scene.camera.orientation2d) if tell else {}
    for edge in _EDGES:
        overlay = viewer.canvas.overlays[_overlay_name(edge)]
        # Emptied and not hidden: of an overlay that was hidden while its grid of cells was made, napari draws
        # too few copies when it is seen again, and fails.
        overlay.text = letters.get(edge, "") if overlay.opacity > 0 else ""
        overlay.visible = True
