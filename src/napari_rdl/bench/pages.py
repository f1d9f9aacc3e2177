"""The pages on speed and on reliability, made from figures that commands have measured."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from napari_rdl.bench.figures import Figure, Figures
from napari_rdl.errors import ConfigError
from napari_rdl.files import read_bytes, write_text

FIGURES = "figures"
"""The folder of figures below that of the documentation."""

_MADE = (
    "<!-- Made by `napari-rdl bench pages`: change the figures or napari_rdl/bench/pages.py, not this. -->\n"
)

_SPEED = """# Speed

What is promised is measured by commands, and each line below says which. Medians, and ratios of one run:
seconds say as much about the machine as about the program. `--out docs/figures/NAME.json` keeps what a
command measured, and `napari-rdl bench pages` makes this page of it. A target that is missed stands here as
well.
"""

_SECTIONS = {
    "opening": (
        "Opening",
        "The images of a patient are read at once, one thread each, inflated with "
        "[ISA-L](https://github.com/pycompression/python-isal) a piece at a time, to the end of the file "
        "where its checksum and length stand; integers are turned to RAS+ and single precision in one go.\n"
        "Values are those of nibabel to the bit (`tests/case/test_voxels.py`).",
    ),
    "encode": (
        "Encode once, combine often",
        "k of n modalities cost k/n of all; every subset costs little more than one run. Those two ratios, "
        "of all subsets and of the study, are to the encode: where that takes less time, they rise.",
    ),
    "steps": (
        "From command to result",
        "`predict` reads the patient while the network's library is loaded. What has passed when the network "
        "is there bounds the ratio to load and encode from below.",
    ),
    "viewer": (
        "As felt in napari",
        "A window is driven as a user would, and each picture waited for; the first patient is opened three "
        "seconds after the window has come. The first image is drawn before "
        "the others are added and before the checks; the images of the next patient with the same modalities "
        "take the layers that are there.\nIn the second after a run every subset is combined in "
        "the background: from then on a flip's first picture shows the whole volume; before, the slice comes "
        "first.",
    ),
    "roofline": (
        "How near to the processor's peak",
        "The peak is that of a 3 × 3 × 3 convolution alone, measured in the same run.",
    ),
    "growth": ("Growth", "Time and memory against the count of each thing."),
}

_RELIABILITY = """# When something is wrong

Clinical folders are untidy, disks fill, and machines stop. What must hold then: a bad input ends in one
sentence that names the file and says what to do, the exit code is 2, and files and layers stay as they
were. Each row is a test in the repository; the one who doubts it runs it. This page is made by `napari-rdl
bench pages` from `docs/reliability.csv`, `docs/faults.csv` and `docs/figures/soak.json`.
"""

_INTRODUCTIONS = {
    "Checkpoints, settings and records": (
        "What is read from a file is checked against a typed description before it is used; nothing is "
        "unpickled.\n\n"
    ),
}

_DRAWN = """## Drawn damage

`napari-rdl bench faults` makes sound files of every kind that is opened, damages them as disks, editors and
networks do (bytes flipped, cut, moved, zeroed; values of another kind, missing, endless; names with control
characters), and opens them. Each has to be refused in one plain sentence, or what is read of it has to be
right: the voxels that were packed, a state of the labels that there was. Opening must write nothing and
must not take long. The cases are made by

```sh
napari-rdl bench faults --csv docs/faults.csv
```

and [`faults.csv`](faults.csv) has each with its sentence. `tests/bench/test_faults.py` repeats a part of
it; for a night's run set `NAPARI_RDL_FAULTS` to the cases of each kind, `NAPARI_RDL_FAULTS_SEED` to others
than these, and `NAPARI_RDL_KILLS` to how often `predict` and `study` are killed.

| what was damaged | cases | read, and right | refused in a sentence | otherwise |
|---|---|---|---|---|
"""

_SOAK = """## A day's work in one window

`napari-rdl bench soak` opens patients one after the other in one window with all widgets, flips modalities,
shows planes side by side and the tumour in 3D, begins corrections and drops them, and watches trainings
meanwhile. Counted are memory, file handles and threads once all is warm, and at the end.
`tests/plugin/driving/test_soak.py` does a short one; `NAPARI_RDL_SOAK` is how many patients it opens.
"""


def write_pages(folder: Path) -> list[Path]:
    """Write ``speed.md`` and ``reliability.md`` into a folder from what lies there; return their paths.

    Raises
    ------
    ConfigError
        If the folder holds no figures, or one of its files is none of ours.
    """
    return [write_text(folder / name, text) for name, text in pages_of(folder).items()]


def pages_of(folder: Path) -> dict[str, str]:
    """Return the names and texts of the pages; see `write_pages`."""
    kept = {path.stem: Figures.read(path) for path in sorted((folder / FIGURES).glob("*.json"))}
    if not kept:
        raise ConfigError(f"{folder / FIGURES} holds no figures: measure some with --out.")
    return {"speed.md": _speed(kept), "reliability.md": _reliability(folder, kept.get("soak"))}


def cells_of(row: Figure) -> tuple[str, str, str, str, str]:
    """Return a line's cells: what, value, 95th percentile, target, whether it is met."""
    unit = f" {row.unit}" if row.unit else ""
    worst = f"{_number(row.worst)}{unit}" if row.worst is not None else ""
    limit = ""
    if row.limit is not None:
        limit = f"{'at least ' if row.least else ''}{_number(row.limit)}{unit}"
    return (
        row.what,
        f"{_number(row.value)}{unit}",
        worst,
        limit,
        {True: "yes", False: "no", None: ""}[row.holds],
    )


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2g}" if abs(value) < 1 else f"{value:.3g}"


def _speed(kept: dict[str, Figures]) -> str:
    parts = [_MADE + _SPEED]
    for kind, (title, introduction) in _SECTIONS.items():
        for figures in (one for one in kept.values() if one.kind == kind):
            parts.append(f"## {title}\n\n{introduction}\n\n{_table(figures)}")
    return "\n".join(parts)


def _table(figures: Figures) -> str:
    worst = any(row.worst is not None for row in figures.rows)
    heads = ["what", "median", *(["95th percentile"] if worst else []), "at most", "holds"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in figures.rows:
        what, value, ninety_five, limit, holds = cells_of(row)
        cells = [what, value, *([ninety_five] if worst else []), limit, holds]
        lines.append(f"| {' | '.join(cells)} |")
    notes = "".join(f" {note}" for note in figures.notes)
    return "\n".join(
        [
            *lines,
            "",
            f"`{figures.command}`; {figures.on}.{notes}",
            "",
            f"On {figures.machine.in_words()}.",
            "",
        ]
    )


def _reliability(folder: Path, soak: Figures | None) -> str:
    parts = [_MADE + _RELIABILITY]
    sections: dict[str, list[dict[str, str]]] = {}
    for row in _rows(folder / "reliability.csv", ("section", "what is wrong", "what happens", "test")):
        sections.setdefault(row["section"], []).append(row)
    for title, rows in sections.items():
        lines = ["| what is wrong | what happens | test |", "|---|---|---|"]
        lines += [f"| {row['what is wrong']} | {row['what happens']} | `{row['test']}` |" for row in rows]
        parts.append(f"## {title}\n\n{_INTRODUCTIONS.get(title, '')}" + "\n".join(lines) + "\n")
    parts.append(_DRAWN + "".join(_drawn(folder / "faults.csv")))
    if soak is not None:
        parts.append(f"{_SOAK}\n{_table(soak)}")
    return "\n".join(parts)


def _drawn(path: Path) -> Iterator[str]:
    counts: dict[str, dict[str, int]] = {}
    for row in _rows(path, ("door", "outcome")):
        of_door = counts.setdefault(row["door"], {})
        of_door[row["outcome"]] = of_door.get(row["outcome"], 0) + 1
    whole: dict[str, int] = {}
    for of_door in counts.values():
        for outcome, count in of_door.items():
            whole[outcome] = whole.get(outcome, 0) + count
    for door, of_door in {**counts, "all": whole}.items():
        read, refused = of_door.get("read", 0), of_door.get("refused", 0)
        total = sum(of_door.values())
        yield f"| {door} | {total} | {read} | {refused} | {total - read - refused} |\n"


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    rows = csv.DictReader(io.StringIO(read_bytes(path).decode("utf-8", "replace")))
    if not set(columns) <= set(rows.fieldnames or ()):
        raise ConfigError(f"{path} has no columns {', '.join(columns)}: take it from the repository.")
    return list(rows)
