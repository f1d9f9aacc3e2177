"""A patient of a study on one axial slice: images, reference, all modalities, each one missing, agreement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_rdl.brats import CLASS_COLOURS, CLASSES, REGIONS, all_subsets
from napari_rdl.case import Case, brain_mask
from napari_rdl.cohort.charts import Colours, new_figure, png
from napari_rdl.compare.agreement import agreement
from napari_rdl.compare.study import SubsetStudy
from napari_rdl.segment.figure import brain_window, draw_image, draw_labels, slice_with_most

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLACK = Colours("#ffffff", "#000000", "#000000")
_PERCENTILES = (0.5, 99.5)
_INCHES = 1.9


def draw_patient(case: Case, study: SubsetStudy, *, dpi: int = 100) -> bytes:
    """Draw one axial slice of a patient, anterior up, the patient's left on the right.

    The slice is the one with most tumour in the reference, else in the full set.

    Parameters
    ----------
    case : Case
        The images.
    study : SubsetStudy
        Of the same patient.
    dpi : int
        Pixels per inch.

    Returns
    -------
    bytes
        A PNG.
    """
    from matplotlib.patches import Patch

    names = study.modalities
    brains = {name: brain_mask(case.images[name]) for name in names}
    brain = np.logical_or.reduce(list(brains.values()))
    full = study.labels(names)
    truth = None if study.reference is None else study.reference.classes
    index = slice_with_most(truth if truth is not None and truth.any() else full, brain)
    window = brain_window(brain[:, :, index])
    limits = {name: tuple(np.percentile(case.images[name][brains[name]], _PERCENTILES)) for name in names}
    missing = [subset for subset in all_subsets(names) if len(names) > 1 and len(subset) == len(names) - 1]
    below = [("reference", truth)] if truth is not None and study.reference.title != "full set" else []  # type: ignore[union-attr]
    columns = max(len(names) + 1, len(below) + 1 + len(missing))
    figure = new_figure((_INCHES * columns, 2 * _INCHES * 1.35 + 0.4), _BLACK)
    figure.get_layout_engine().set(h_pad=0.1)  # type: ignore[union-attr, call-arg]
    panels = figure.subplots(2, columns, squeeze=False)
    for axes in panels.flat:
        axes.axis("off")
    aspect = case.grid.spacing[1] / case.grid.spacing[0]
    under = "FLAIR" if "FLAIR" in names else names[-1]

    def image(axes: Axes, name: str) -> None:
        draw_image(axes, case.images[name][*window, index], limits[name], aspect)

    def labelled(axes: Axes, labels: NDArray[np.uint8], title: str) -> None:
        image(axes, under)
        draw_labels(axes, labels[*window, index])
        axes.set_title(title, color="white", fontsize=8)

    for axes, name in zip(panels[0], names, strict=False):
        image(axes, name)
        axes.set_title(name, color="white", fontsize=9)
    votes = panels[0, len(names)]
    image(votes, under)
    _draw_disagreement(votes, agreement(study.stack)[*window, index])
    votes.set_title("subsets disagree", color="white", fontsize=9)
    for axes, (title, labels) in zip(panels[1], below, strict=False):
        assert labels is not None
        labelled(axes, labels, f"{study.reference.title}\n" if study.reference else title)
    labelled(panels[1, len(below)], full, f"all modalities\n{_numbers(study, names)}")
    for axes, subset in zip(panels[1, len(below) + 1 :], missing, strict=False):
        absent = next(name for name in names if name not in subset)
        labelled(axes, study.labels(subset), f"without {absent}\n{_numbers(study, subset)}")
    handles = [Patch(color=colour, label=CLASSES[value]) for value, colour in CLASS_COLOURS.items()]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles),
        facecolor="black",
        edgecolor="black",
        labelcolor="white",
        fontsize=8,
    )
    return png(figure, dpi)


def _numbers(study: SubsetStudy, subset: tuple[str, ...]) -> str:
    row = study.row(subset)
    if row.scores and study.reference is not None and study.reference.title != "full set":
        return "Dice " + " ".join(f"{region} {100 * row.scores[region].dice:.0f}" for region in REGIONS)
    return " ".join(f"{region} {row.volumes_ml[region]:.0f}" for region in REGIONS) + " ml"


def _draw_disagreement(axes: Axes, shares: NDArray[np.float32]) -> None:
    """Draw 1 - agreement of a slice (X, Y) over what is drawn already."""
    outvoted = np.ma.masked_less_equal(1 - shares, 0)
    axes.imshow(
        outvoted[::-1].T,
        origin="lower",
        cmap="inferno",
        vmin=0,
        vmax=2 / 3,
        alpha=0.8,
        aspect=axes.get_aspect(),
        interpolation="nearest",
    )
