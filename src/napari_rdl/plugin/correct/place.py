"""Where the viewer is: which slice of a layer it shows, and how it gets to a voxel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_rdl.plugin.viewer.appearance import scale_translate

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_rdl.boxes import Box
    from napari_rdl.case import Grid


def shown_slice(viewer: Any, layer: Labels | None) -> tuple[int, int] | None:
    """Return the axis that is cut and the number of the slice shown; None in 3D, or beside the layer."""
    dims = viewer.dims
    front = dims.ndim - 3
    cut = [axis - front for axis in dims.not_displayed if axis >= front]
    if layer is None or len(cut) != 1:
        return None
    number = round(float(layer.world_to_data(dims.point[-3:])[cut[0]]))
    return (cut[0], number) if 0 <= number < layer.data.shape[cut[0]] else None


def slice_box(place: tuple[int, int], shape: tuple[int, ...]) -> Box:
    """Return the box of a slice."""
    axis, number = place
    x, y, z = (
        slice(number, number + 1) if other == axis else slice(0, size) for other, size in enumerate(shape)
    )
    return x, y, z


def go_to(viewer: Any, grid: Grid, voxel: tuple[int, int, int]) -> None:
    """Show a voxel of a case's grid."""
    scale, translate = scale_translate(grid)
    world = [start + size * at for start, size, at in zip(translate, scale, voxel, strict=True)]
    front = viewer.dims.ndim - 3
    viewer.dims.set_point(range(front, front + 3), world)
