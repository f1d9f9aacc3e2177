"""The weighted mean of two checkpoints: ``python training/shipped-weights/mean.py A B --share 0.6 --out C``.

It is of use where both began with the same weights: then their mean is often as good as the better of them
in each respect. The card is that of B.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_rdl.cli.app import run_script
from napari_rdl.errors import CheckpointError
from napari_rdl.models import load_model, save_model


def main(
    first: Annotated[Path, typer.Argument(help="A checkpoint.")],
    second: Annotated[Path, typer.Argument(help="Another one of the same architecture.")],
    out: Annotated[Path, typer.Option(help="The checkpoint to write.")],
    share: Annotated[float, typer.Option(min=0, max=1, help="Weight of the second one.")] = 0.5,
) -> None:
    """Write the mean of two checkpoints."""
    a, b = load_model(first), load_model(second)
    if a.card.network != b.card.network or a.card.spacing != b.card.spacing:
        raise CheckpointError(f"{first} and {second} have no common architecture or spacing.")
    of_a, of_b = a.network.state_dict(), b.network.state_dict()
    b.network.load_state_dict({name: (1 - share) * of_a[name] + share * of_b[name] for name in of_b})
    save_model(out, b.network, b.card)


if __name__ == "__main__":
    run_script(main)
