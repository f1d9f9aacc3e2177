"""What lies beside a file as JSON and says how it came to be."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from napari_rdl.files import write_bytes


class Record(BaseModel):
    """A record; what it says is up to its kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def content(self) -> bytes:
        """Return the record as its file's content."""
        # A lone surrogate stands for a byte of a file name that is no UTF-8; it is kept readable.
        return f"{self.model_dump_json(indent=2)}\n".encode("utf-8", "backslashreplace")

    def save(self, path: str | Path) -> Path:
        """Write the record, whole or not at all.

        Raises
        ------
        OutputError
            If it cannot be written there.
        """
        return write_bytes(path, self.content())
