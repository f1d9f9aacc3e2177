"""Talking to whoever sits at the shell: sentences and progress on stderr, results on stdout."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

import typer

from napari_rdl.callbacks import Progress, ignore_progress
from napari_rdl.cli.wording import printable
from napari_rdl.errors import CaseError

if TYPE_CHECKING:
    from napari_rdl.case import Case, Finding

logger = logging.getLogger(__name__)


class PrintableFormatter(logging.Formatter):
    """Writes lines of the log that only write; see `printable`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record's line."""
        return printable(super().format(record))


def say(message: str) -> None:
    """Write one sentence to stderr; an empty one is not written."""
    if message:
        typer.echo(printable(message), err=True)


def write(text: object) -> None:
    """Write a line of results to stdout."""
    typer.echo(printable(str(text)))


def say_log() -> None:
    """Show on stderr what the program says of itself, a line with the time for each step."""
    logger = logging.getLogger("napari_rdl")
    logger.setLevel(logging.INFO)
    if not logging.getLogger().handlers and not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(PrintableFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)


def say_findings(case: Case, findings: list[Finding]) -> None:
    """Write to stderr what looks wrong with a patient and what was changed on reading; no other notes."""
    for finding in findings:
        if finding.level != "note" or finding.message in case.notes:
            say(f"{finding.level}: {case.name}: {finding.message}")


def write_json(document: Mapping[str, object]) -> None:
    """Write one JSON object to stdout."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    # As JSON has them, what a terminal would take for commands and what is no text.
    write(re.sub(r"[\x7f-\x9f\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text))


@contextmanager
def stdout_for_results() -> Iterator[None]:
    """Send what libraries print in the meantime to stderr, so that stdout holds our result alone."""
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def progress_bar(title: str, *, log: bool = False) -> Iterator[Progress]:
    """Show a bar on stderr while the work lasts.

    Parameters
    ----------
    title : str
        What the work is.
    log : bool
        Where stderr is no terminal, log a line now and then; else nothing is shown there.

    Yields
    ------
    Progress
        To be called as ``progress(done, total, message)``.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines() if log else ignore_progress
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(escape(printable(title)), total=None)

        def move(done: int, total: int, message: str) -> None:
            words = escape(printable(f"{title}: {message}" if message else title))
            bar.update(task, completed=done, total=total or None, description=words)

        yield move


def _lines() -> Progress:
    """Return a progress that logs: often at first, for whoever waits for the beginning, then seldom."""
    started = time.monotonic()
    last = started - 60

    def line(done: int, total: int, message: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= min(30, 1 + (now - started) / 20):
            last = now
            logger.info("%d/%d %s", done, total, message)

    return line


def listed_failures(failures: Mapping[str, str]) -> list[dict[str, str]]:
    """Return patient -> reason as JSON has it."""
    return [{"case": name, "message": reason} for name, reason in failures.items()]


def refuse_failures(failures: Mapping[str, str], total: int, what: str) -> None:
    """List on stderr the patients of a folder that failed, and end with what became of the whole.

    Parameters
    ----------
    failures : mapping
        Patient -> reason.
    total : int
        How many patients there were.
    what : str
        What failed, such as ``could not be segmented``.

    Raises
    ------
    CaseError
        If there is any.
    """
    for name, reason in failures.items():
        say(f"failed: {name}: {reason}")
    if failures:
        raise CaseError(f"{len(failures)} of {total} patients {what}; the others are done.")
