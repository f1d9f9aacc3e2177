"""Files and folders written whole or not at all, read within bounds, and named plainly.

The only place that knows how to write.
"""

from napari_rdl.files.names import fault_of_path, plain_name
from napari_rdl.files.reading import is_file, is_folder, is_there, parse_json, read_bytes
from napari_rdl.files.scratch import SCRATCH, is_scratch, sweep
from napari_rdl.files.writing import (
    refuse_unusable_folder,
    write_bytes,
    write_file,
    write_first,
    write_folder,
    write_json,
    write_text,
    write_together,
)

__all__ = [
    "SCRATCH",
    "fault_of_path",
    "is_file",
    "is_folder",
    "is_scratch",
    "is_there",
    "parse_json",
    "plain_name",
    "read_bytes",
    "refuse_unusable_folder",
    "sweep",
    "write_bytes",
    "write_file",
    "write_first",
    "write_folder",
    "write_json",
    "write_text",
    "write_together",
]
