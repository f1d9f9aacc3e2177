"""Where the desk's work is kept: the journal of its patient, and what stands in the journal's way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_rdl.correct import Found, History, Identity, Journal, journal_path, put_aside
from napari_rdl.files import plain_name

if TYPE_CHECKING:
    from napari_rdl.holder import Hold

_WATCH_MS = 1000


class KeptJournal(QObject):
    """Keeps a history's steps in its patient's journal, from the first one on.

    Signals
    -------
    held : str
        What stands in the journal's way, in a sentence; empty once nothing does.

    Attributes
    ----------
    identity : Identity or None
        Whose journal it would be; None before the patient's files were read.
    journal : Journal or None
        The open one.
    """

    held = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.identity: Identity | None = None
        self.journal: Journal | None = None
        self._said = ""
        self._watch = QTimer(self)
        self._watch.setInterval(_WATCH_MS)
        self._watch.timeout.connect(self.say_what_holds)

    def watch(self) -> None:
        """Look from time to time whether what is written reaches the disk."""
        self._watch.start()

    def unwatch(self) -> None:
        """Look no more."""
        self._watch.stop()

    def begin(self, history: History, continued: Path | None, hold: Hold | None) -> bool:
        """Begin the patient's journal unless one is open; True if it did.

        Parameters
        ----------
        continued : Path or None
            The saved correction that the history starts from, if it does.
        """
        if self.journal is not None or self.identity is None:
            return False
        name = plain_name(continued.name) if continued is not None else ""
        self.journal = Journal.begin(journal_path(self.identity), self.identity, history, hold, name)
        self.say_what_holds()
        return True

    def go_on(self, found: Found, hold: Hold | None) -> bool:
        """Go on with the patient's journal that was read; True if it did."""
        if self.identity is None:
            return False
        self.journal = Journal.go_on(journal_path(self.identity), found, self.identity, hold)
        return True

    def close(self) -> None:
        """Bring what is left to the disk and let the journal go."""
        if self.journal is not None:
            self.journal.close()
            self.journal = None

    def saved(self) -> None:
        """Note that the labels as they stand were saved."""
        if self.journal is not None:
            self.journal.saved()

    def put_aside(self) -> None:
        """Put aside the journal that lies there: its file stays until the next is put aside."""
        if self.identity is not None:
            put_aside(journal_path(self.identity))

    def keep_elsewhere(self, path: Path) -> None:
        """Go on at another place.

        Raises
        ------
        OutputError
            If nothing can be written there.
        JournalError
            If another window or process writes that file.
        """
        if self.journal is None:
            return
        try:
            self.journal.move(path)
        finally:
            self.say_what_holds()

    def say_what_holds(self) -> None:
        """Tell what stands in the way, where that is something else than before."""
        problem = self.journal.problem if self.journal is not None else None
        sentence = (
            f"Corrections are kept in memory only: {problem.rstrip('.')}. Save them, or keep them elsewhere."
            if problem
            else ""
        )
        if sentence != self._said:
            self._said = sentence
            self.held.emit(sentence)
