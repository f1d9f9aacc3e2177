"""`napari-rdl worklist`: patients to be corrected, how far each one is, and whose turn is next."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_rdl.cli.console import progress_bar, refuse_failures, say, stdout_for_results, write, write_json
from napari_rdl.cli.options import Device, Json, Model
from napari_rdl.errors import ConfigError, OutputError
from napari_rdl.files import is_file, is_there

if TYPE_CHECKING:
    from napari_rdl.cohort.worklist import Worklist

worklist_app = typer.Typer(help="Keep a list of patients to be corrected.", no_args_is_help=True)

List = Annotated[Path, typer.Argument(metavar="LIST", help="The worklist, a JSON file.")]
Names = Annotated[list[str], typer.Argument(metavar="PATIENT...", help="Names of patients in the list.")]
User = Annotated[str, typer.Option("--annotator", help="Your name, for the list.", show_default=False)]


@worklist_app.command()
def new(
    folders: Annotated[
        list[str], typer.Argument(metavar="FOLDER...", help="Patients' folders, or folders of patients.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The list's file, new, or one to add to.")],
) -> None:
    """Make a list of all patients below some folders, or add patients to one."""
    from napari_rdl.cohort.worklist import Worklist
    from napari_rdl.cohort.worklist_file import new_worklist

    if out.suffix.lower() != ".json":
        raise OutputError(f"{out} is no name for a worklist: let it end in .json.")
    if is_there(out):
        with Worklist(out) as known:
            known.require_ours()
            entries = new_worklist(folders, out, known=known.entries)
            added = len(entries) - len(known.entries)
    else:
        added = len(new_worklist(folders, out))
    write(f"{added} patient{'' if added == 1 else 's'} added to {out}.")


@worklist_app.command()
def show(
    path: List,
    by_doubt: Annotated[bool, typer.Option("--by-doubt", help="Least sure first.")] = False,
    as_json: Json = False,
) -> None:
    """Show a list."""
    from napari_rdl.cohort.worklist import Worklist
    from napari_rdl.cohort.worklist_file import State

    worklist = Worklist(path, read_only=True)
    entries = worklist.ordered(by_doubt=by_doubt)
    if as_json:
        write_json({"patients": [entry.model_dump(mode="json") for entry in entries]})
        return
    from rich.console import Console
    from rich.table import Table

    counts = ", ".join(f"{worklist.count(state)} {state}" for state in State if worklist.count(state))
    table = Table(
        "patient", "state", "doubt", "annotator", "note", title=f"{path.name}: {counts or 'nobody'}"
    )
    for entry in entries:
        state = f"{entry.state}, as predicted" if entry.accepted else entry.state.value
        doubt = "" if entry.doubt is None else f"{entry.doubt:.3f}"
        table.add_row(entry.name, state, doubt, entry.annotator, entry.note)
    Console(file=sys.stdout).print(table)


@worklist_app.command()
def mark(
    path: List,
    patients: Names,
    state: Annotated[
        str | None, typer.Option(help="to do, in work, done or needs review.", show_default=False)
    ] = None,
    note: Annotated[str | None, typer.Option(help="A note.", show_default=False)] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its corrected labels.", show_default=False)
    ] = None,
    annotator: User = "",
) -> None:
    """Change patients' state or note, or say where the labels of one lie."""
    given: dict[str, object] = {"state": state, "note": note, "labels": labels}
    values = {name: value for name, value in given.items() if value is not None}
    if not values:
        raise ConfigError("Give --state, --note or --labels.")
    if labels is not None:
        if len(patients) > 1:
            raise ConfigError("--labels are those of one patient: name one.")
        if not is_file(labels):
            raise ConfigError(f"There is no file {labels}.")
        values["accepted"] = False
    with _opened(path, annotator) as worklist:
        worklist.change_all(dict.fromkeys(patients, values))


@worklist_app.command()
def doubt(
    path: List,
    model: Model = None,
    device: Device = "auto",
    again: Annotated[bool, typer.Option("--again", help="Measure everybody anew.")] = False,
    annotator: User = "",
) -> None:
    """Let a model look at each patient and note how unsure it is."""
    with _opened(path, annotator) as worklist:
        names = [entry.name for entry in worklist.entries if again or entry.doubt is None]
        failures = _look(worklist, names, model, device, accepting=False)
        refuse_failures(failures, len(names), "could not be looked at")


@worklist_app.command()
def accept(
    path: List, patients: Names, model: Model = None, device: Device = "auto", annotator: User = ""
) -> None:
    """Accept what a model says of patients as it is: their labels are written, and they are done."""
    with _opened(path, annotator) as worklist:
        failures = _look(worklist, patients, model, device, accepting=True)
        for name in patients:
            if name not in failures:
                say(f"{name}: {worklist.labels_of(worklist.entry(name))}")
        refuse_failures(failures, len(patients), "could not be accepted")


def _opened(path: Path, annotator: str) -> Worklist:
    from napari_rdl.cohort.worklist import Worklist

    worklist = Worklist(path, annotator)
    worklist.require_ours()
    return worklist


def _look(
    worklist: Worklist, names: list[str], model: str | None, device: str, *, accepting: bool
) -> dict[str, str]:
    with stdout_for_results(), progress_bar("Looking") as progress:
        from napari_rdl.cohort.acceptance import first_look
        from napari_rdl.models import load_model
        from napari_rdl.segment import SegmentSettings

        settings = SegmentSettings(device=device)
        return first_look(
            worklist, load_model(model), settings, names=names, accepting=accepting, progress=progress
        )
