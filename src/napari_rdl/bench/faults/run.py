"""Damaging sound files one case after another, and saying how each door answered."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from time import perf_counter

import numpy as np
from pydantic import BaseModel, ConfigDict

from napari_rdl.bench.faults.door import Door, FileDoor
from napari_rdl.bench.faults.doors import DOORS
from napari_rdl.callbacks import Progress, ignore_progress
from napari_rdl.errors import NapariRdlError

SLOWEST_SECONDS = 20.0
"""From which on an answer counts as none; it takes milliseconds on a machine with nothing else to do."""

_PRIMER = 20_261_126


class FaultCase(BaseModel):
    """What was damaged, and how it was answered.

    Attributes
    ----------
    outcome : str
        ``read`` (what was read holds what it must), ``refused`` (in one sentence), or ``broken``.
    said : str
        The sentence, without where the file lay; or what broke.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    door: str
    number: int
    damage: str
    outcome: str
    said: str
    seconds: float


class FaultReport(BaseModel):
    """All cases of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int
    cases: tuple[FaultCase, ...]

    @property
    def broken(self) -> tuple[FaultCase, ...]:
        """Cases that ended otherwise than promised."""
        return tuple(case for case in self.cases if case.outcome == "broken")

    def as_csv(self) -> str:
        """Return a row for each case, without times, which are no result."""
        file = StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("door", "case", "damage", "outcome", "said"))
        writer.writerows((row.door, row.number, row.damage, row.outcome, row.said) for row in self.cases)
        return file.getvalue()

    def as_markdown(self) -> str:
        """Return a row for each door."""
        lines = ["| what was damaged | cases | read, and right | refused in a sentence | otherwise |"]
        lines.append("|---|---|---|---|---|")
        for door in dict.fromkeys(row.door for row in self.cases):
            outcomes = [row.outcome for row in self.cases if row.door == door]
            counts = [str(outcomes.count(outcome)) for outcome in ("read", "refused", "broken")]
            lines.append(f"| {door} | {len(outcomes)} | {' | '.join(counts)} |")
        outcomes = [row.outcome for row in self.cases]
        counts = [str(outcomes.count(outcome)) for outcome in ("read", "refused", "broken")]
        lines.append(f"| all | {len(outcomes)} | {' | '.join(counts)} |")
        return "\n".join(lines) + "\n"


def measure_faults(
    cases: int,
    seed: int = 0,
    *,
    doors: Sequence[type[Door]] = DOORS,
    progress: Progress = ignore_progress,
) -> FaultReport:
    """Damage what each door opens, and open it.

    Parameters
    ----------
    cases : int
        Of each door.
    seed : int
        Of what is drawn; a case depends on it, on its door and on its number alone.
    doors : sequence of type of Door
    progress : callable

    Returns
    -------
    FaultReport
    """
    found: list[FaultCase] = []
    with tempfile.TemporaryDirectory(prefix="faults-") as root:
        for number, kind in enumerate(doors):
            progress(number, len(doors), kind.name)
            folder = Path(root) / str(number)
            folder.mkdir()
            found.extend(_cases_of(kind(folder), range(cases), seed, folder))
    progress(len(doors), len(doors), "Done")
    return FaultReport(seed=seed, cases=tuple(found))


def _cases_of(door: Door, numbers: Iterable[int], seed: int, folder: Path) -> Iterable[FaultCase]:
    key = [ord(letter) for letter in door.name]
    if isinstance(door, FileDoor):
        outcome, said = _answer(door)
        if outcome != "read":
            raise RuntimeError(f"What {door.name} was to be damaged was not sound: {said}")
    for number in numbers:
        damage = door.damage(np.random.default_rng([_PRIMER, seed, number, *key]))
        there = _listed(folder)
        began = perf_counter()
        outcome, said = _answer(door)
        seconds = perf_counter() - began
        if seconds > SLOWEST_SECONDS:
            outcome, said = "broken", f"took longer than {SLOWEST_SECONDS:g} s"
        if _listed(folder) != there:
            outcome, said = "broken", "opening it changed files"
        plain = said.replace(str(folder), "").encode("ascii", "backslashreplace").decode()
        yield FaultCase(
            door=door.name, number=number, damage=damage, outcome=outcome, said=plain, seconds=seconds
        )


def _answer(door: Door) -> tuple[str, str]:
    try:
        wrong = door.open()
    except NapariRdlError as error:
        said = str(error)
        if not said.strip() or "\n" in said or len(said) > 2000 or any(ord(letter) < 32 for letter in said):
            return "broken", f"no plain sentence: {said!r:.200}"
        return "refused", said
    except Exception as error:  # what nobody foresaw is what is looked for
        return "broken", f"{type(error).__name__}: {error}"[:300]
    return ("broken", wrong) if wrong else ("read", "")


def _listed(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        found[str(path)] = (status.st_size, status.st_mtime_ns)
    return found
