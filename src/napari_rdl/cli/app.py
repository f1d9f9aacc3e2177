"""The program `napari-rdl`: its commands, and how it ends."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from napari_rdl.cli.bench import bench_app
from napari_rdl.cli.check import check
from napari_rdl.cli.console import PrintableFormatter, say
from napari_rdl.cli.demo import demo
from napari_rdl.cli.dicom import dicom
from napari_rdl.cli.evaluate import evaluate
from napari_rdl.cli.importing import import_
from napari_rdl.cli.phantom import phantom
from napari_rdl.cli.predict import predict
from napari_rdl.cli.report import report
from napari_rdl.cli.study import study
from napari_rdl.cli.train import train
from napari_rdl.cli.wording import sentence_of
from napari_rdl.cli.worklist import worklist_app
from napari_rdl.errors import Cancelled, NapariRdlError, refusal_of_system

logger = logging.getLogger(__name__)

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="napari-rdl",
    help="Segment brain tumours from whatever MRI modalities a patient has. Research software.",
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (demo, predict, dicom, check, report, phantom, train, evaluate, study):
    app.command()(command)
app.command("import")(import_)
app.add_typer(bench_app, name="bench")
app.add_typer(worklist_app, name="worklist")


def _sentence(message: str) -> str:
    """Return a message of typer's as one line that ends like a sentence."""
    text = " ".join(message.split())
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _version(asked: bool) -> None:
    if asked:
        from napari_rdl import __version__

        typer.echo(f"napari-rdl {__version__}")
        raise typer.Exit


@app.callback()
def _before_every_command(
    context: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say on stderr what is done.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version and end.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after the program's name; those of the process by default.

    Returns
    -------
    int
        0; 2 after an error that the user can mend, said in one sentence on stderr, also where it is some of
        many patients that failed; 130 when interrupted.
    """
    if arguments is None:
        # What a process that ends still holds is the system's to take: Python need not look through it for
        # garbage first, which takes most of a second once torch is there.
        atexit.register(gc.freeze)
    return _ended(lambda: app(args=arguments, prog_name="napari-rdl", standalone_mode=False))


def run_script(command: Callable[..., object]) -> NoReturn:
    """Run a function as a script's command line, and end the process as the program ends.

    Parameters
    ----------
    command : callable
        Its parameters are the options, as typer reads them.
    """
    script = typer.Typer(pretty_exceptions_enable=False, add_completion=False, rich_markup_mode=None)
    script.command()(command)
    sys.exit(_ended(lambda: script(standalone_mode=False)))


def _ended(run: Callable[[], object]) -> int:
    """Return the exit code of what `run` does, and say in one sentence what a user can mend."""
    try:
        outcome = run()
    except NapariRdlError as error:
        say(sentence_of(error))
        return EXIT_USER_ERROR
    except TyperException as error:
        say(_sentence(error.format_message()))
        return EXIT_USER_ERROR
    except (Cancelled, KeyboardInterrupt):
        outcome = EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left, as `| head` does: nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_INTERRUPTED
    except OSError as error:
        # What no door has put better: a disk that went, a name that none can have.
        logger.debug("The system refused.", exc_info=True)
        say(refusal_of_system(error))
        return EXIT_USER_ERROR
    if outcome == EXIT_INTERRUPTED:
        # Also what typer returns after Ctrl-C.
        say("Interrupted: the result that was being made was not written.")
    return outcome if isinstance(outcome, int) else 0
