"""Reports of `napari-rdl bench` as figures of a page."""

from __future__ import annotations

from napari_rdl.bench.figures import Figure, Figures, figures, timed
from napari_rdl.bench.report import OPENING_LIMIT, OpeningTime, Report


def opening_figures(found: OpeningTime, patient: str, repeats: int) -> Figures:
    """Return how long a patient takes to open, against nibabel."""
    return figures(
        "opening",
        f"napari-rdl bench opening {patient} --repeats {repeats}",
        f"{patient}, {found.images} images",
        [
            timed("opening", [found.seconds]),
            timed("nibabel's reading of the same files", [found.nibabel_seconds]),
            Figure(what="opening against nibabel", value=found.ratio, limit=OPENING_LIMIT),
            Figure(what="of processor time", value=found.cpu_ratio),
        ],
    )


def encode_figures(report: Report, command: str) -> Figures:
    """Return what encoding and combining take."""
    every, study, flip = report.all_subsets, report.study, report.flip
    rows = []
    for row in report.encode:
        many = "modality" if row.modalities == 1 else "modalities"
        rows.append(timed(f"encode {row.modalities} {many}", [row.seconds]))
        rows.append(Figure(what=f"against all (k of n is {row.ideal:.2f})", value=row.ratio))
    rows += [
        Figure(what=f"all {every.subsets} subsets against one run", value=every.ratio, limit=every.limit),
        timed("the study of all subsets", [study.seconds]),
        Figure(what="the study against the encode before it", value=study.ratio, limit=study.limit),
        timed("HD95 of all subsets, in the background", [study.distances_seconds]),
        timed("a flip, the slice that is shown", [flip.slice_seconds]),
        timed("a flip, the whole volume", [flip.volume_seconds]),
    ]
    if report.watch is not None:
        rows.append(
            timed(
                "the window's answer beside a training, at worst",
                [report.watch.worst_seconds],
                limit=report.watch.limit,
            )
        )
    shape = " × ".join(map(str, report.shape))
    return figures(
        "encode",
        command,
        f"{shape} voxels, {report.model}, {report.device}, {report.precision}, {report.threads} threads",
        rows,
    )
