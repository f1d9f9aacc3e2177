"""False tumour of every subset in heads without any: millilitres that a model finds, by subset.

    python training/shipped-weights/false_tumour.py --data phantom:20 --data /data/healthy --out false-tumour

``phantom:N`` are healthy synthetic patients at 1 mm, drawn from the ranges that are kept aside; a folder
holds real heads, with or without (empty) masks. ``false-tumour.json`` keeps every head's figures, ``.md``
the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from napari_rdl.brats import all_subsets, subset_name
from napari_rdl.case import Case, case_from_arrays
from napari_rdl.cli.app import run_script
from napari_rdl.cohort.patients import folder_patients, is_synthetic, synthetic_patients
from napari_rdl.files import write_json, write_text
from napari_rdl.models import Model, load_model
from napari_rdl.phantom import held_out_settings, make_phantom
from napari_rdl.segment import SegmentSettings, encode

FIRST_SEED = 20_000_000
"""Far from every seed that is trained or validated on."""

LIMITS_ML = (0.5, 2.0)


def main(
    data: Annotated[list[str] | None, typer.Option(help="phantom:N, or a folder of healthy heads.")] = None,
    model: Annotated[str | None, typer.Option(help="A checkpoint; the shipped weights by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Files that are written, without their endings.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Measure false tumour."""
    loaded, settings = load_model(model), SegmentSettings(device=device)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for source in data or ["phantom:20"]:
        heads = found.setdefault(source if is_synthetic(source) else Path(source).name, {})
        for case in healthy_heads(source):
            heads[case.name] = false_tumour(case, loaded, settings)
            full = list(heads[case.name].values())[-1]
            typer.echo(f"{case.name}: {full:.2f} ml with all it has", err=True)
    text = "\n".join(table(source, heads) for source, heads in found.items())
    typer.echo(text)
    if out is not None:
        about = {"model": loaded.name, "weights_sha256": loaded.sha256, "limits_ml": LIMITS_ML}
        # Not with_suffix: a name may hold a dot.
        write_json(out.with_name(f"{out.name}.json"), {**about, "ml": found})
        write_text(out.with_name(f"{out.name}.md"), text)


def healthy_heads(source: str) -> Iterator[Case]:
    """Yield heads without a tumour, read or made."""
    if not is_synthetic(source):
        for patient in folder_patients(Path(source)):
            yield patient.read()
        return
    for patient in synthetic_patients(source, FIRST_SEED):
        assert patient.seed is not None
        phantom = make_phantom(patient.seed, settings=held_out_settings(), tumour="none")
        yield case_from_arrays(phantom.images, phantom.affine, name=phantom.name)


def false_tumour(case: Case, model: Model, settings: SegmentSettings) -> dict[str, float]:
    """Return the whole tumour in ml that each subset of what a head has finds, in the paper's order."""
    found = {
        subset_name(segmentation.modalities): round(segmentation.volumes_ml()["WT"], 4)
        for segmentation in encode(case, model, settings=settings).combine_all()
    }
    names = [subset_name(subset) for subset in all_subsets(model.card.network.modalities)]
    return {name: found[name] for name in names if name in found}


def table(source: str, heads: dict[str, dict[str, float]]) -> str:
    """Return a source's rows: of each subset the median, the largest, and shares below the limits."""
    limits = " | ".join(f"below {limit:g} ml" for limit in LIMITS_ML)
    lines = [f"{source}: {len(heads)} heads", "", f"| subset | heads | median ml | most ml | {limits} |"]
    lines.append(f"|---|---|---|---|{'---|' * len(LIMITS_ML)}")
    # The head that has most names every subset in order.
    subsets = max(heads.values(), key=len)
    for subset in subsets:
        values = np.array([head[subset] for head in heads.values() if subset in head])
        shares: list[Any] = [f"{np.mean(values < limit):.0%}" for limit in LIMITS_ML]
        cells = [subset, len(values), f"{np.median(values):.2f}", f"{values.max():.2f}", *shares]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    run_script(main)
