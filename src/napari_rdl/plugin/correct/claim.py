"""A claim on a file in the window's time: renewed while it is ours, asked for again while it is not."""

from __future__ import annotations

import logging

from qtpy.QtCore import QObject, QTimer, Signal

from napari_rdl.errors import OutputError
from napari_rdl.holder import Hold, Holder

logger = logging.getLogger(__name__)

_WATCH_MS = 5000


class Claim(QObject):
    """Watches over a `Hold`. Main thread only, but for `taken`.

    Signals
    -------
    changed : no value
        The file became ours, or somebody else's.
    """

    changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.held_by = ""
        self._hold: Hold | None = None
        self._watch = QTimer(self)
        self._watch.setInterval(_WATCH_MS)
        self._watch.timeout.connect(self.look)

    @property
    def hold(self) -> Hold | None:
        """The hold that is watched."""
        return self._hold

    def set(self, hold: Hold, holder: Holder | None) -> None:
        """Watch a hold that was asked for; `holder` is who has the file instead."""
        self.release()
        self._hold = hold
        self.held_by = holder.words() if holder is not None else ""
        self._watch.start()

    def release(self) -> None:
        """Let the file go and watch nothing."""
        self._watch.stop()
        if self._hold is not None:
            self._hold.release()
            self._hold = None
        self.held_by = ""

    def look(self) -> None:
        """Renew the hold, or see whether the file became free."""
        if self._hold is None:
            return
        before = self.held_by
        if not before and self._hold.held and self._hold.renew():
            return
        holder = taken(self._hold)
        self.held_by = holder.words() if holder is not None else ""
        if self.held_by != before:
            self.changed.emit()


def taken(hold: Hold) -> Holder | None:
    """Take a file and return who has it instead; where no mark can be made, nobody is kept out."""
    try:
        return hold.take()
    except OutputError as error:
        logger.warning("%s", error)
        return None
