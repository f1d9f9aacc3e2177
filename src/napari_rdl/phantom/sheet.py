"""A contact sheet: patients in rows, modalities and truth in columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_rdl.brats import CLASS_COLOURS, MODALITIES
from napari_rdl.files import write_file
from napari_rdl.phantom.patient import Phantom


def save_sheet(
    phantoms: Sequence[Phantom], path: str | Path, *, across: int = 1, inches: float = 1.6
) -> Path:
    """Draw each patient's axial slice with the most tumour and save the sheet as PNG.

    A patient is T1, T1c, T2, FLAIR and the truth over FLAIR; anterior is up and the patient's left
    on the right.

    Parameters
    ----------
    phantoms : sequence of Phantom
        In reading order.
    path : str or Path
        The PNG file.
    across : int
        Patients side by side.
    inches : float
        Width of one image.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import to_rgb
    from matplotlib.figure import Figure

    path = Path(path)
    columns = (*MODALITIES, "truth")
    rows = -(-len(phantoms) // across)
    width, height = inches * len(columns) * across, inches * 1.18 * rows
    figure = Figure(figsize=(width, height), facecolor="black")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, len(columns) * across, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    places = axes.reshape(rows * across, len(columns))
    for row, phantom in zip(places[: len(phantoms)], phantoms, strict=True):
        # Enhancing voxels count more, so that the slice shows the sub-regions and not oedema alone.
        area = ((phantom.classes > 0) + 2.0 * (phantom.classes == 3)).sum((0, 1))
        level = int(area.argmax()) if area.any() else int(phantom.classes.shape[2] * 0.55)
        for axis, column in zip(row, columns, strict=True):
            modality = "FLAIR" if column == "truth" else column
            image = phantom.images[modality]
            top = np.percentile(image[image > 0], 99.7)
            grey = np.clip(image[::-1, :, level].T / top, 0, 1)
            rgb = np.repeat(grey[..., None], 3, 2)
            if column == "truth":
                classes = phantom.classes[::-1, :, level].T
                for index, colour in CLASS_COLOURS.items():
                    rgb[classes == index] = 0.35 * rgb[classes == index] + 0.65 * np.array(to_rgb(colour))
            axis.imshow(rgb, origin="lower", interpolation="nearest")
        volumes = phantom.record["volumes_ml"]
        words = f"{phantom.seed} {phantom.record['type']}  " + " ".join(
            f"{k} {v:.0f}" for k, v in volumes.items()
        )
        row[0].set_title(words, color="white", fontsize=6, loc="left", pad=2)
    figure.subplots_adjust(0, 0, 1, 0.985, 0.01, 0.1)
    return write_file(path, lambda target: figure.savefig(target, dpi=110, format="png", facecolor="black"))
