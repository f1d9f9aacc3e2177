"""The one dialog in which a result's file is chosen, and what it asks before something is replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_rdl.files import is_there
from napari_rdl.plugin.parts.questions import ask_to_replace


def ask_for_file(
    parent: QWidget,
    title: str,
    start: Path,
    kinds: str,
    endings: Sequence[str],
    *,
    beside: Callable[[Path], Path | None] = lambda path: None,
) -> Path | None:
    """Let the user choose a file to write.

    Parameters
    ----------
    parent : QWidget
    title : str
    start : Path
        The name that is suggested, in the folder where the dialog begins.
    kinds : str
        Qt's filter.
    endings : sequence of str
        What the name may end with; the first is added where it ends with none.
    beside : callable, optional
        Returns a file that is written beside the one chosen and whose replacement must be asked about.

    Returns
    -------
    Path or None
        None where the user changed their mind.
    """
    # The dialog asks itself before it returns a file that exists.
    name, _ = QFileDialog.getSaveFileName(parent, title, str(start), kinds)
    if not name:
        return None
    path = Path(name)
    if not path.name.lower().endswith(tuple(endings)):
        path = path.with_name(path.name + endings[0])
        if is_there(path) and not ask_to_replace(parent, [path]):
            return None
    other = beside(path)
    if other is not None and is_there(other) and not ask_to_replace(parent, [other]):
        return None
    return path


def record_beside(path: Path) -> Path | None:
    """Return the record beside a table, a picture or a page, unless the file itself is replaced."""
    return None if is_there(path) else path.with_suffix(".json")
