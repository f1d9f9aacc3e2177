"""Work of before: what a patient's journal holds that nobody went on with, and how that is said."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from napari_rdl.correct import Found, Identity, journal_path, read_journal
from napari_rdl.errors import JournalError
from napari_rdl.holder import Hold, Holder
from napari_rdl.plugin.correct.claim import taken
from napari_rdl.plugin.parts.times import duration
from napari_rdl.plugin.settings import plugin_settings

if TYPE_CHECKING:
    from napari_rdl.case import Case

LookedFor = tuple[Identity, Found | JournalError | None, Hold, Holder | None]


def look_for_work(case: Case) -> LookedFor:
    """Return whose journal it would be, what of it there is, and who has it; reads files."""
    identity = Identity.of(case)
    path = journal_path(identity)
    hold = Hold(path, plugin_settings().annotator)
    holder = taken(hold)
    if holder is not None or not path.exists():
        return identity, None, hold, holder
    try:
        return identity, read_journal(path, identity), hold, None
    except JournalError as error:
        return identity, error, hold, None


def words_for(found: Found) -> str:
    """Return what was found, as a user reads it."""
    history = found.history
    if found.unsaved:
        since = found.saved if found.saved < history.position else 0
        began = datetime.fromtimestamp(found.began) if found.began is not None else None
        worked = duration(max(history.seconds_at_work(since), 1))
        when = f" from {_when(began)}" if began is not None else ""
        lost = " The end of the journal was damaged and is left out." if found.lost else ""
        return f"Not saved: {worked} of work{when}.{lost}"
    at = datetime.fromtimestamp(found.saved_at or 0)
    return f"Corrections saved at {_when(at)} can be taken up again, with all their steps."


def _when(moment: datetime) -> str:
    today = moment.date() == datetime.now().date()
    return f"{moment:%H:%M}" if today else f"{moment:%d %B %Y, %H:%M}"
