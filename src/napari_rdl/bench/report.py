"""What a benchmark run found, as typed values."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from io import StringIO
from statistics import fmean, median

from pydantic import BaseModel, ConfigDict

SUBSETS_LIMIT = 1.3
"""The most that all subsets may cost, in full runs."""

STUDY_LIMIT = 0.3
"""The most that the study of all subsets may cost, in the encode before it."""

OPENING_LIMIT = 0.5
"""The most that opening a patient may take, in nibabel's time for reading its files."""

ANSWER_SECONDS = 0.05
"""In which the window is to answer beside a training."""

FRAME_SECONDS = 1 / 30
"""One frame on a modest screen."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OpeningTime(_Frozen):
    """Opening a patient of `images` images, against nibabel's reading of the same files.

    Attributes
    ----------
    seconds, nibabel_seconds : float
        Medians.
    ratio, cpu_ratio : float
        Medians over repeats of the times' ratio in the same repeat, by the clock and of the processors.
    """

    images: int
    seconds: float
    nibabel_seconds: float
    ratio: float
    cpu_ratio: float


class EncodeTime(_Frozen):
    """Encoding `modalities` modalities.

    Attributes
    ----------
    seconds : float
        Median.
    ratio, ideal : float
        Median over repeats of the time against that of all modalities in the same repeat; and what
        it should be, k of all.
    """

    modalities: int
    seconds: float
    ratio: float
    ideal: float


class SubsetsTime(_Frozen):
    """Segmenting with every subset, against one run with all modalities.

    Attributes
    ----------
    ratio : float
        (encode + combine every subset) / (encode + combine one), median over repeats; at most
        `SUBSETS_LIMIT`.
    """

    subsets: int
    seconds: float
    one_run_seconds: float
    ratio: float
    limit: float = SUBSETS_LIMIT


class StudyTime(_Frozen):
    """The study of all subsets of an encoded patient: labels, volumes and Dice; nothing is encoded for it.

    Attributes
    ----------
    seconds : float
        Median, with the mask's preparation.
    ratio : float
        `seconds` / encode of all modalities, median over repeats; at most `limit`.
    distances_seconds : float
        HD95 of all subsets and regions, which follows in the background; measured once.
    reference : str
        What is compared with: the mask, or the full set where there is none.
    megabytes : float
        Memory that the labels of all subsets hold.
    """

    seconds: float
    ratio: float
    distances_seconds: float
    reference: str
    megabytes: float
    limit: float = STUDY_LIMIT


class FlipTime(_Frozen):
    """Switching one modality of an encoded patient off or on.

    Attributes
    ----------
    slice_seconds, volume_seconds : float
        Medians: labels of the shown axial slice, and of the whole volume.
    slice_frames : float
        `slice_seconds` in frames of 1/30 s.
    """

    slice_seconds: float
    volume_seconds: float
    slice_frames: float


class ViewerTime(_Frozen):
    """Switching one modality in a napari window, from the switch to the drawn pixels.

    Attributes
    ----------
    redraw_seconds : float
        Median of computing the shown slice, putting it into the layer, drawing and reading back.
    idle_seconds : float
        Median of drawing and reading back alone, with nothing changed.
    ratio : float
        `redraw_seconds` / `idle_seconds`.
    """

    redraw_seconds: float
    idle_seconds: float
    ratio: float


class WatchTime(_Frozen):
    """How long a napari window takes to answer while **Train model** watches a training.

    Attributes
    ----------
    median_seconds, worst_seconds : float
        Of the longest gap between two turns of Qt's loop in each second; a click waits no longer than a gap.
    late : int
        Gaps longer than `limit`.
    seconds : float
        How long was measured.
    """

    median_seconds: float
    worst_seconds: float
    late: int
    seconds: float
    limit: float = ANSWER_SECONDS


class Report(_Frozen):
    """One benchmark run; `viewer` and `watch` are None where there was no display or no napari window."""

    size: str
    shape: tuple[int, int, int]
    model: str
    device: str
    precision: str
    threads: int
    processor: str
    versions: dict[str, str]
    repeats: int
    encode: tuple[EncodeTime, ...]
    all_subsets: SubsetsTime
    study: StudyTime
    flip: FlipTime
    viewer: ViewerTime | None = None
    watch: WatchTime | None = None


class AnnotatorRow(_Frozen):
    """One patient, one tool, after some strokes.

    Attributes
    ----------
    wt, tc, et : float
        Dice.
    seconds : float or None
        What the tool took for the last stroke, whole volume; None before the first.
    slice_seconds : float or None
        Of refinement: after how long the stroke's slice was there.
    """

    patient: str
    tool: str
    strokes: int
    wt: float
    tc: float
    et: float
    seconds: float | None = None
    slice_seconds: float | None = None


class AnnotatorReport(_Frozen):
    """What the simulated annotator came to, from what `subset` says."""

    model: str
    subset: str
    rows: tuple[AnnotatorRow, ...]

    def means(self) -> list[AnnotatorRow]:
        """Return for each tool and number of strokes the mean Dice and the median seconds over patients."""
        groups: dict[tuple[str, int], list[AnnotatorRow]] = {}
        for row in self.rows:
            groups.setdefault((row.tool, row.strokes), []).append(row)
        return [
            AnnotatorRow(
                patient="mean",
                tool=tool,
                strokes=strokes,
                wt=fmean(row.wt for row in rows),
                tc=fmean(row.tc for row in rows),
                et=fmean(row.et for row in rows),
                seconds=_median(row.seconds for row in rows),
                slice_seconds=_median(row.slice_seconds for row in rows),
            )
            for (tool, strokes), rows in groups.items()
        ]

    def as_csv(self) -> str:
        """Return the rows as CSV, with a line of headings."""
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(AnnotatorRow.model_fields)
        for row in self.rows:
            writer.writerow("" if value is None else value for value in row.model_dump().values())
        return text.getvalue()


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
