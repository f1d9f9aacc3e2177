"""Names that are names: what may become a file's name, whoever chose it."""

from __future__ import annotations

import re
import zlib

_MAX_NAME = 200
"""Bytes of a name; file systems take 255, and endings come behind."""


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
