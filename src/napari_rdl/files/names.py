"""Names that are names: what may become a file's name, whoever chose it."""

from __future__ import annotations

import re
import zlib

_MAX_NAME = 200
"""Bytes of a name; file systems take 255, and endings come behind."""
_LONGEST_NAME, _LONGEST_PATH = 255, 4096
"""Bytes that file systems take."""


def plain_name(text: str) -> str:
    """Return a name that is one: without folders, control characters, or bytes that are no text.

    What a record, a card or a folder's own name calls a patient may become a file's name; it must not lead
    anywhere else, command a terminal, or be too long for what is put behind it.
    """
    name = re.sub(r"[/\\]", "-", text)
    name = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", "_", name)
    if name.strip(". ") == "":
        return name.replace(".", "_").strip() or "_"
    if len(name.encode()) > _MAX_NAME:
        # A hash of the whole, so that two long names that begin alike stay apart.
        start = name.encode()[: _MAX_NAME - 9].decode(errors="ignore")
        name = f"{start}-{zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}"
    return name


def fault_of_path(text: str) -> str | None:
    """Return why a file or folder can have no such path, or none that a record could name; None if it can."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return "the name holds bytes that are no text (UTF-8), and nothing could find it again: rename it"
    if "\0" in text:
        return "the name holds a NUL, which no file's does"
    if max(map(len, re.split(rb"[/\\]", encoded))) > _LONGEST_NAME or len(encoded) > _LONGEST_PATH:
        return "the name is too long for a file or folder"
    return None
