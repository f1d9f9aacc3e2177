"""Make a split file from lists of patients, one name a line, or draw a seeded one.

    python training/make_split.py --root /data/BraTS2020 --train train.txt --validation val.txt \
        --test test.txt --out splits/brats2020_1.json
    python training/make_split.py --root /data/BraTS2020 --sizes 219,50,100 --seed 0 --out mine.json

RFNet's lists (train/val/test of BraTS 2018 and 2020) are in its public repository; its names may
carry a suffix such as ``_vol.npy`` or a grade folder, which is taken off.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Annotated

import numpy as np
import typer

from napari_rdl.cli.app import run_script
from napari_rdl.cohort.patients import folder_patients, read_split_file
from napari_rdl.errors import ConfigError, NapariRdlError
from napari_rdl.files import write_bytes, write_json


def main(
    root: Annotated[Path, typer.Option(help="Folder of patients.")],
    out: Annotated[Path, typer.Option(help="Split file to write.")],
    train: Annotated[Path | None, typer.Option(help="List of training patients.")] = None,
    validation: Annotated[Path | None, typer.Option(help="List of validation patients.")] = None,
    test: Annotated[Path | None, typer.Option(help="List of test patients.")] = None,
    sizes: Annotated[str | None, typer.Option(help="Instead of lists: sizes to draw, as 219,50,100.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
) -> None:
    """Write a split file and check it against the folder."""
    parts = ("train", "validation", "test")
    if sizes is not None:
        names = [patient.name for patient in folder_patients(root)]
        counts = [int(size) if size.strip().isdecimal() else -1 for size in sizes.split(",")]
        if len(counts) != 3 or min(counts) < 0 or sum(counts) > len(names):
            raise typer.BadParameter(f"{sizes} does not fit the {len(names)} patients below {root}.")
        order = [names[index] for index in np.random.default_rng(seed).permutation(len(names))]
        ends = np.cumsum([0, *counts])
        lists = {part: sorted(order[a:b]) for part, a, b in zip(parts, ends, ends[1:], strict=False)}
    else:
        given = dict(zip(parts, (train, validation, test), strict=True))
        lists = {part: read_list(path) for part, path in given.items() if path is not None}
    before = out.read_bytes() if out.is_file() else None
    write_json(out, {"root": os.path.relpath(root, out.parent), **lists}, indent=1)
    try:
        split = read_split_file(out)
    except NapariRdlError:
        # What does not fit the folder leaves no file behind.
        if before is None:
            out.unlink()
        else:
            write_bytes(out, before)
        raise
    typer.echo(
        f"{len(split.train)} training, {len(split.validation)} validation, {len(split.test)} test patients; "
        f"{len(split.left_out)} of {root} are in no list."
    )


def read_list(path: Path) -> list[str]:
    """Return the names of a list, without folders and suffixes."""
    try:
        lines = path.read_text("utf-8").split()
    except (OSError, ValueError) as error:
        raise ConfigError(f"The list {path} cannot be read ({error}).") from error
    names = [PurePosixPath(line.replace("\\", "/")).name for line in lines]
    return [name.removesuffix(".npy").removesuffix("_vol") for name in names]


if __name__ == "__main__":
    run_script(main)
