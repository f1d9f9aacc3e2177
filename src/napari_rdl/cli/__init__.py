"""The shell's face: thin, no science.

One module per family of commands. Everything heavy is imported inside the commands, so that
``napari-rdl --help`` answers at once. What a user can mend ends in one sentence on stderr and exit
code 2; anything else keeps its traceback, since it is a bug.
"""

from napari_rdl.cli.app import app, main

__all__ = ["app", "main"]
