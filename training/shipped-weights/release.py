r"""Write weights that are to be shipped, with what their card says of them: whom they saw, what to expect.

    python training/shipped-weights/release.py WEIGHTS --name NAME \
        --evaluation EVALUATION --false-tumour false-tumour.json --calibrate phantom:12:held-out \
        --patients-file training/shipped-weights/data.toml \
        --out src/napari_rdl/models/weights/shipped.safetensors

EVALUATION is a folder that ``napari-rdl evaluate`` wrote, or several, as the folds of a cross-validation;
false tumour comes from ``false_tumour.py``. ``--curves RUN`` also writes the run's loss terms into
``curves.csv`` and ``curves.png`` beside this file. Whatever is left out stays as the weights' card has it.
"""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from napari_rdl.brats import REGIONS, all_subsets, subset_name
from napari_rdl.cli.app import run_script
from napari_rdl.cohort.calibration import calibrate
from napari_rdl.cohort.intervals import mean_interval
from napari_rdl.cohort.patients import is_synthetic, patients_of
from napari_rdl.errors import ConfigError
from napari_rdl.models import (
    DataSource,
    Expectation,
    ExpectedDice,
    FalseTumour,
    Model,
    ModelCard,
    bundled_model_path,
    load_model,
    save_model,
)
from napari_rdl.segment import SegmentSettings

HERE = Path(__file__).parent
BESIDE = "synthetic patients (napari_rdl.phantom: MNI152 anatomy, simulated gliomas, contrasts and scanners)"
COLUMNS = ("step", "loss", "dice", "divergence", "region_dice", "mutual_information", "lr")


def main(
    weights: Annotated[Path, typer.Argument(help="The checkpoint to release.")],
    name: Annotated[str | None, typer.Option(help="What menus call it.")] = None,
    tile: Annotated[
        int | None, typer.Option(help="Edge of the cubes, in voxels, that the network is used on.")
    ] = None,
    evaluation: Annotated[
        list[Path] | None, typer.Option(help="Folder of an evaluation: expected Dice. May be given again.")
    ] = None,
    basis: Annotated[
        str | None,
        typer.Option(help="On what expected Dice rests, where these weights were not evaluated themselves."),
    ] = None,
    false_tumour: Annotated[
        list[Path] | None, typer.Option(help="JSON of false_tumour.py. May be given again.")
    ] = None,
    calibrate_on: Annotated[
        list[str] | None,
        typer.Option("--calibrate", help="Patients with masks that temperatures are fitted to."),
    ] = None,
    patients_file: Annotated[
        Path | None, typer.Option(help="TOML of the real patients that were trained on.")
    ] = None,
    trained_on: Annotated[
        str | None, typer.Option(help="The data in a sentence; from the patients' file by default.")
    ] = None,
    figures: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FOLDER of an evaluation whose table the card keeps. May be given again."),
    ] = None,
    curves: Annotated[Path | None, typer.Option(help="Run folder whose curves are drawn.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file; the shipped weights' by default.")] = None,
    device: Annotated[str, typer.Option(help="Where calibration runs: auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Write a checkpoint with its card."""
    model = load_model(weights)
    changes: dict[str, Any] = {}
    if name is not None:
        changes["name"] = name
    if tile is not None:
        changes["tile"] = tile
    if patients_file is not None:
        changes["data_sources"] = read_sources(patients_file)
        changes["trained_on"] = sentence_of(changes["data_sources"])
    if trained_on is not None:
        changes["trained_on"] = trained_on
    if evaluation or false_tumour:
        changes["expected"] = expectations(model, evaluation or [], false_tumour or [], basis)
    if figures:
        changes["results"] = dict(read_figures(*figure.split("=", 1)) for figure in figures)
    if calibrate_on:
        changes |= temperatures(model, calibrate_on, device)
    # Validated, which a copy with changes would not be.
    card = ModelCard.model_validate({**model.card.model_dump(), **changes})
    if curves is not None:
        draw(curves)
    written = save_model(out or bundled_model_path(), model.network, card)
    typer.echo(f"{written}: {card.name}, {len(card.expected)} subsets with what to expect")
    for subset, expected in card.expected.items():
        typer.echo(f"  {subset}: {expected.line}")


def read_sources(path: Path) -> tuple[DataSource, ...]:
    """Return the sets of patients that a TOML file lists under ``[[sources]]``."""
    content = tomllib.loads(path.read_text("utf-8"))
    return tuple(DataSource.model_validate(source) for source in content["sources"])


def sentence_of(sources: Sequence[DataSource]) -> str:
    """Return what was trained on, in a sentence."""
    count = sum(len(source.patients) for source in sources)
    names = "; ".join(f"{len(source.patients)} of {source.name}" for source in sources)
    return f"{count} real patients ({names}) beside {BESIDE}"


def expectations(
    model: Model, evaluations: Sequence[Path], false_tumour: Sequence[Path], basis: str | None
) -> dict[str, dict[str, Any]]:
    """Return subset -> what to expect: mean Dice with bootstrap intervals, false tumour in heads without any.

    Raises
    ------
    ConfigError
        If an evaluation has patients without scores, or was of other weights and no basis is given.
    """
    dice: dict[str, dict[str, list[float]]] = {}
    names: set[str] = set()
    bases = []
    for folder in evaluations:
        content = json.loads((folder / "results.json").read_text("utf-8"))
        if content["failed"]:
            raise ConfigError(f"{folder} has patients without scores: evaluate them again.")
        if names & content["patients"].keys():
            raise ConfigError(f"{folder} has patients that another evaluation has as well.")
        names |= content["patients"].keys()
        bases.append(basis_of(content, model, folder, basis))
        for subsets in content["patients"].values():
            for subset, regions in subsets.items():
                for region, measures in regions.items():
                    dice.setdefault(subset, {}).setdefault(region, []).append(measures["dice"])
    heads, source = false_volumes(false_tumour, model)
    said = basis or "; ".join(dict.fromkeys(bases))
    found = {}
    for subset in map(subset_name, all_subsets(model.card.network.modalities)):
        scored = dice.get(subset, {})
        expected = Expectation(
            dice={region: expected_dice(scored[region]) for region in REGIONS if region in scored},
            false_ml=false_tumour_of(heads[subset], source) if subset in heads else None,
            basis=said if scored else "",
        )
        if expected.line:
            found[subset] = expected.model_dump()
    return found


def basis_of(content: dict[str, Any], model: Model, folder: Path, basis: str | None) -> str:
    """Return in words on whom an evaluation rests."""
    about = content["about"]
    if basis is None and about["weights_sha256"] != model.sha256:
        raise ConfigError(
            f"{folder} evaluated other weights than these: say with --basis what it is, such as "
            "cross-validation."
        )
    data = about["data"]
    if is_synthetic(data):
        kept_aside = "from ranges that were kept aside, " if ":held-out" in data else ""
        return f"{about['patients']} synthetic patients, {kept_aside}{data}"
    return f"{about['patients']} patients of {Path(data.split(',')[0]).name}"


def expected_dice(values: Sequence[float]) -> ExpectedDice:
    """Return a mean over patients with its interval, rounded as it is said."""
    interval = mean_interval(values)
    low, high = (None if end is None else round(end, 4) for end in (interval.low, interval.high))
    return ExpectedDice(mean=round(interval.mean, 4), low=low, high=high, patients=interval.count)


def false_volumes(files: Sequence[Path], model: Model) -> tuple[dict[str, list[float]], str]:
    """Return subset -> the ml found in each head, and which heads these were."""
    volumes: dict[str, list[float]] = {}
    sources: list[str] = []
    for path in files:
        content = json.loads(path.read_text("utf-8"))
        if content["weights_sha256"] != model.sha256:
            typer.echo(f"warning: {path} was measured with other weights than {model.path}", err=True)
        for source, heads in content["ml"].items():
            sources.append(source)
            for found in heads.values():
                for subset, ml in found.items():
                    volumes.setdefault(subset, []).append(ml)
    return volumes, ", ".join(sources)


def false_tumour_of(volumes: Sequence[float], source: str) -> FalseTumour:
    """Return what is said of one subset's false tumour."""
    values = np.asarray(volumes)
    return FalseTumour(
        median=round(float(np.median(values)), 4),
        largest=float(values.max()),
        share_below_half_ml=round(float(np.mean(values < 0.5)), 4),
        heads=len(values),
        source=source,
    )


def temperatures(model: Model, sources: Sequence[str], device: str) -> dict[str, Any]:
    """Return the card's temperatures and calibration errors, fitted to all patients of the sources."""
    patients = [patient for source in sources for patient in patients_of(source)]
    found = calibrate(
        model,
        patients,
        settings=SegmentSettings(device=device),
        progress=lambda done, total, message: typer.echo(f"{done}/{total} {message}", err=True),
    )
    return {
        "temperatures": {subset: round(one.temperature, 4) for subset, one in found.items()},
        "calibration_error": {
            subset: {"before": round(one.before, 4), "after": round(one.after, 4)}
            for subset, one in found.items()
        },
    }


def read_figures(name: str, folder: str) -> tuple[str, dict[str, Any]]:
    """Return an evaluation's table: Dice in per cent, by region and column."""
    content = json.loads((Path(folder) / "results.json").read_text("utf-8"))
    table = next(table for table in content["tables"] if table["measure"] == "dice")
    if content["failed"]:
        raise ConfigError(f"{folder} has patients without scores: evaluate them again.")
    values = {
        region: dict(zip(table["columns"], (None if v is None else round(v, 1) for v in row), strict=True))
        for region, row in table["values"].items()
    }
    return name, {"patients": content["about"]["patients"], "dice_percent": values}


def draw(run: Path) -> None:
    """Write the curves of a run beside this file."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    write_curves([line for line in lines if "loss" in line])
    draw_curves([line for line in lines if "loss" in line], [line for line in lines if "validation" in line])


def write_curves(lines: list[dict[str, Any]]) -> None:
    """Write the loss terms of every logged step."""
    with (HERE / "curves.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(
            [f"{line[name]:.5g}" if name != "step" else line[name] for name in COLUMNS] for line in lines
        )


def draw_curves(losses: list[dict[str, Any]], validations: list[dict[str, Any]]) -> None:
    """Draw the smoothed loss terms and the validation Dice."""
    figure = Figure(figsize=(8, 3), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    width = 10
    for name in ("dice", "divergence", "region_dice", "mutual_information"):
        values = [line[name] for line in losses]
        smooth = [
            sum(values[max(i - width, 0) : i + 1]) / (i + 1 - max(i - width, 0)) for i in range(len(values))
        ]
        left.plot([line["step"] for line in losses], smooth, label=name.replace("_", " "))
    left.set(xlabel="step", title="Loss terms, mean over 100 steps")
    left.legend(frameon=False, fontsize=8)
    for region in ("WT", "TC", "ET"):
        means = [
            sum(row[region] for row in line["validation"].values()) / len(line["validation"])
            for line in validations
        ]
        right.plot([line["step"] for line in validations], means, marker="o", label=region)
    right.set(xlabel="step", title="Validation Dice, mean of 15 subsets", ylim=(0, 1))
    right.legend(frameon=False, fontsize=8)
    figure.savefig(HERE / "curves.png", dpi=110)


if __name__ == "__main__":
    run_script(main)
