"""`napari-rdl import`: a published method's checkpoint, made into one of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_rdl.cli.console import write
from napari_rdl.errors import ConfigError


def import_(
    method: Annotated[
        str,
        typer.Argument(metavar="METHOD", help="rfnet, mmformer, m3ae or gmd.", show_default=False),
    ],
    checkpoint: Annotated[
        Path,
        typer.Argument(metavar="CHECKPOINT", help="As its authors' code saved it.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The checkpoint to write (.safetensors).")],
    name: Annotated[
        str | None, typer.Option(help="The model's name in menus; the file's by default.", show_default=False)
    ] = None,
    trained_on: Annotated[str, typer.Option(help="The data, in a sentence.", show_default=False)] = "",
    width: Annotated[
        int | None,
        typer.Option(
            metavar="CHANNELS", help="At full resolution, if not the published.", show_default=False
        ),
    ] = None,
    subsets: Annotated[
        str,
        typer.Option(
            metavar="T1c+FLAIR,T1c",
            help="The only subsets that it was trained on; all by default.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Make a checkpoint of the public code of RFNet, mmFormer, M3AE or GMD one that napari-rdl opens.

    Only tensors, numbers and text are read of it: what would run code is refused.
    """
    if out.suffix != ".safetensors":
        raise ConfigError(f"{out} does not end in .safetensors: name the file so that it can be opened.")
    from napari_rdl.brats import parse_subset, subset_name
    from napari_rdl.models import METHODS, save_model
    from napari_rdl.models.importing import import_checkpoint

    try:
        wanted = tuple(subset_name(parse_subset(part)) for part in subsets.split(",") if part.strip())
    except ValueError as error:
        raise ConfigError(str(error)) from None
    network, card = import_checkpoint(
        method, checkpoint, name=name, trained_on=trained_on, width=width, subsets=wanted
    )
    save_model(out, network, card)
    tensors = network.state_dict()
    count = sum(value.numel() for value in tensors.values())
    write(f"{out}: {METHODS[method].title}, {len(tensors)} tensors, {count:,} numbers.")
