"""``python -m napari_rdl.training``: the same as ``napari-rdl train``."""

from __future__ import annotations

import sys

import typer

from napari_rdl.cli.console import say
from napari_rdl.cli.train import train
from napari_rdl.cli.wording import sentence_of
from napari_rdl.errors import NapariRdlError


def main() -> int:
    """Run the command; return 2 after an error that the user can mend."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(help=train.__doc__)(train)
    try:
        app(prog_name="python -m napari_rdl.training", standalone_mode=False)
    except NapariRdlError as error:
        say(sentence_of(error))
        return 2
    except typer.exceptions.TyperException as error:
        say(" ".join(error.format_message().split()))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
