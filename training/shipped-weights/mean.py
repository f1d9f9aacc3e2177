"""The weighted mean of two checkpoints: ``python training/shipped-weights/mean.py A B --share 0.6 --out C``.

It is of use where both began with the same weights, or B with A: then their mean is often as good as the
better of them in each respect, and keeps more of what A knows of data that B did not learn from (Wortsman et
al. 2022, arXiv:2109.01903). A may be gated where B has a readout after the sum: in A it adds nothing. The
card is that of B.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
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
    alike = ("fusion", "embedding") if getattr(a.card.network, "fusion", None) == "gated" else ()
    update = {name: getattr(b.card.network, name, None) for name in alike}
    if a.card.network.model_copy(update=update) != b.card.network or a.card.spacing != b.card.spacing:
        raise CheckpointError(f"{first} and {second} have no common architecture or spacing.")
    of_b = b.network.state_dict()
    # A readout that ends in zeros adds nothing, whatever leads to it.
    nothing = {name: torch.zeros_like(of_b[name]) for name in of_b if name.startswith("deep_sets.last.")}
    of_a = {**of_b, **nothing, **a.network.state_dict()}
    b.network.load_state_dict({name: (1 - share) * of_a[name] + share * of_b[name] for name in of_b})
    save_model(out, b.network, b.card)


if __name__ == "__main__":
    run_script(main)
