"""Talking to whoever sits at the shell: sentences and progress on stderr, results on stdout."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from napari_rdl.callbacks import Progress
from napari_rdl.errors import CaseError, OutputError

if TYPE_CHECKING:
    from napari_rdl.case import Case, Finding


def say(message: str) -> None:
    """Write one sentence to stderr; an empty one is not written."""
    if message:
        typer.echo(message, err=True)


def say_findings(case: Case, findings: list[Finding]) -> None:
    """Write to stderr what looks wrong with a patient and what was changed on reading; no other notes."""
    for finding in findings:
        if finding.level != "note" or finding.message in case.notes:
            say(f"{finding.level}: {case.name}: {finding.message}")


def write_json(document: Mapping[str, object]) -> None:
    """Write one JSON object to stdout."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


@contextmanager
def stdout_for_results() -> Iterator[None]:
    """Send what libraries print in the meantime to stderr, so that stdout holds our result alone."""
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """Show a bar on stderr while the work lasts; nothing where stderr is no terminal.

    Yields
    ------
    Progress
        To be called as ``progress(done, total, message)``.
    """
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def progress(done: int, total: int, message: str) -> None:
            bar.update(
                task, completed=done, total=total, description=f"{title}: {message}" if message else title
            )

        yield progress


def refuse_unusable_folder(folder: Path) -> None:
    """Look whether results can go to `folder`, before hours are spent on them; nothing is made.

    Raises
    ------
    OutputError
        If `folder`, or the nearest folder above it that exists, is a file or cannot be written.
    """
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise OutputError(f"{nearest} is a file; give another folder with --out.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(f"{nearest} may not be written to; give another folder with --out.")


def refuse_failures(failures: Sequence[Mapping[str, str]], total: int, what: str) -> None:
    """List on stderr the patients of a folder that failed, and end with what became of the whole.

    Raises
    ------
    CaseError
        If there is any.
    """
    for failure in failures:
        say(f"failed: {failure['case']}: {failure['message']}")
    if failures:
        raise CaseError(f"{len(failures)} of {total} patients {what}; the others are done.")
