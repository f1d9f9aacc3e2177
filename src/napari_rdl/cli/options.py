"""Options that several commands share, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Cases = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CASE...",
        help="A patient's folder, a folder of patients, or one patient's files: T1=a.nii.gz T1c=b.nii.gz ...",
        show_default=False,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="A checkpoint (.safetensors), or the name of bundled weights; shipped by default.",
        show_default=False,
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Labels = Annotated[
    str | None,
    typer.Option(
        help="The label convention, where names do not say it: brats2013, brats2018, brats2023, brats2024.",
        show_default=False,
    ),
]
Resample = Annotated[
    bool,
    typer.Option(
        "--resample", help="Bring modalities that lie on different grids onto the finest; registers nothing."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write one JSON object to stdout.")]
Out = Annotated[Path, typer.Option(metavar="DIR", help="The folder to write into; made if it is not there.")]
