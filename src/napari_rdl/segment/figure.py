"""A picture of a patient's segmentations, drawn without a display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_rdl.boxes import extent
from napari_rdl.brats import CLASS_COLOURS, CLASSES, order_modalities, subset_name
from napari_rdl.case import Case, brain_mask
from napari_rdl.files import write_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from napari_rdl.segment import Segmentation

_PERCENTILES = (0.5, 99.5)
_LABEL_OPACITY = 0.55
_MARGIN = 12


def draw_segmentations(segmentations: Sequence[Segmentation], path: str | Path, *, dpi: int = 110) -> Path:
    """Draw one axial slice: the modalities above, what each subset makes of them below.

    The slice is the one with most tumour in the first segmentation (the middle of the brain where
    there is none). It is seen as radiologists do: anterior up, the patient's left on the right.

    Parameters
    ----------
    segmentations : sequence of Segmentation
        Of one case. The first one chooses the slice.
    path : str or Path
        The PNG to write.
    dpi : int
        Pixels per inch; each picture is 2.4 inches wide.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    case = segmentations[0].case
    brains = {modality: brain_mask(image) for modality, image in case.images.items()}
    brain = np.logical_or.reduce(list(brains.values()))
    index = slice_with_most(segmentations[0].labels, brain)
    window = brain_window(brain[:, :, index])
    limits = {
        modality: tuple(np.percentile(image[brains[modality]], _PERCENTILES))
        for modality, image in case.images.items()
    }
    columns = max(len(case.modalities), len(segmentations))
    figure = Figure(figsize=(2.4 * columns, 6.2), facecolor="black", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, columns, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")

    def draw(axis: Axes, modality: str) -> None:
        image = case.images[modality][*window, index]
        draw_image(axis, image, limits[modality], case.grid.spacing[1] / case.grid.spacing[0])

    for axis, modality in zip(axes[0], case.modalities, strict=False):
        draw(axis, modality)
        axis.set_title(modality, color="white", fontsize=10)
    for axis, segmentation in zip(axes[1], segmentations, strict=False):
        draw(axis, segmentation.modalities[-1])
        draw_labels(axis, segmentation.labels[*window, index])
        volumes = " ".join(f"{region} {ml:.1f}" for region, ml in segmentation.volumes_ml().items())
        axis.set_title(f"{_title(segmentation, case)}\n{volumes} ml", color="white", fontsize=8)
    handles = [Patch(color=CLASS_COLOURS[value], label=CLASSES[value]) for value in CLASS_COLOURS]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), facecolor="black", labelcolor="white"
    )
    figure.suptitle(f"{case.name}, axial slice {index}: research use only", color="white", fontsize=9)
    return write_file(path, lambda target: figure.savefig(target, dpi=dpi, format="png"))


def _title(segmentation: Segmentation, case: Case) -> str:
    used, present = segmentation.modalities, case.modalities
    if tuple(used) == tuple(present):
        return "all: " + subset_name(used)
    if len(used) == len(present) - 1:
        return "without " + next(iter(set(present) - set(used)))
    return subset_name(order_modalities(used, present))


def slice_with_most(labels: NDArray[np.uint8], brain: NDArray[np.bool_]) -> int:
    """Return the axial index with most tumour voxels, else the one with most brain."""
    shown = labels if labels.any() else brain
    return int(np.count_nonzero(shown, axis=(0, 1)).argmax())


def brain_window(brain: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the part of a slice (X, Y) that holds brain, with a margin; all of it where there is none."""
    x, y = extent(brain, margin=_MARGIN) or (slice(None), slice(None))
    return x, y


def draw_image(axis: Axes, image: NDArray[np.float32], limits: tuple[float, ...], aspect: float) -> None:
    """Draw a slice (X, Y) with the letters of left and right."""
    low, high = limits
    # In RAS+, x grows to the patient's right, which stands on the left of the picture; y grows upwards.
    axis.imshow(image[::-1].T, cmap="gray", vmin=low, vmax=high, origin="lower", aspect=aspect)
    for x, letter in ((0.02, "R"), (0.98, "L")):
        axis.text(
            x, 0.5, letter, color="white", fontsize=7, transform=axis.transAxes, ha="center", va="center"
        )


def draw_labels(axis: Axes, labels: NDArray[np.uint8]) -> None:
    """Draw the classes of a slice (X, Y) over what is drawn already."""
    from matplotlib.colors import to_rgba

    overlay = np.zeros((*labels.shape, 4))
    for value, colour in CLASS_COLOURS.items():
        overlay[labels == value] = to_rgba(colour, _LABEL_OPACITY)
    picture = overlay[::-1].transpose(1, 0, 2)
    axis.imshow(picture, origin="lower", aspect=axis.get_aspect(), interpolation="nearest")
