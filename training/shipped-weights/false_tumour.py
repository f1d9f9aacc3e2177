"""False tumour in healthy synthetic patients: ``python training/shipped-weights/false_tumour.py --count 20``.

Prints the millilitres of tumour that a model finds, with all modalities, in patients without any: drawn from
the ranges that are kept aside, at 1 mm.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import typer

from napari_rdl.case import case_from_arrays
from napari_rdl.models import load_model
from napari_rdl.phantom import held_out_settings, make_phantom
from napari_rdl.segment import encode

FIRST_SEED = 20_000_000
"""Far from every seed that is trained or validated on."""

LIMIT_ML = 0.5


def main(
    model: Annotated[str | None, typer.Option(help="A checkpoint; the shipped weights by default.")] = None,
    count: Annotated[int, typer.Option(min=1, help="How many patients.")] = 20,
) -> None:
    """Measure false tumour."""
    loaded = load_model(model)
    found = []
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        phantom = make_phantom(seed, settings=held_out_settings(), tumour="none")
        case = case_from_arrays(phantom.images, phantom.affine, name=phantom.name)
        found.append(encode(case, loaded).combine().volumes_ml()["WT"])
        typer.echo(f"{phantom.name}: {found[-1]:.2f} ml")
    below = np.mean(np.array(found) < LIMIT_ML)
    typer.echo(
        f"{below:.0%} of {count} below {LIMIT_ML} ml; median {np.median(found):.2f}, most {max(found):.2f} ml"
    )


if __name__ == "__main__":
    typer.run(main)
