r"""Train on all folds of a folder but one, score the one left out, for every fold; pool the scores.

    python training/cross_validate.py /data/mine --folds 4 --out runs/cv --recipe laptop \
        --data phantom:1000,share=0.5 --set optimizer.max_steps=2000

Folds are alike in enhancement and seeded. Given again, it goes on where it was. ``scores.csv`` has every
patient's scores by the network that never saw it, ``cross-validation.md`` their means with 95 % intervals.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from napari_rdl.brats import all_subsets, subset_name
from napari_rdl.cli.app import run_script
from napari_rdl.cohort.evaluate import EvaluationSettings, evaluate
from napari_rdl.cohort.intervals import mean_interval
from napari_rdl.files import write_json, write_text
from napari_rdl.models import load_model
from napari_rdl.segment import SegmentSettings
from napari_rdl.training.config import TrainingConfig, read_source
from napari_rdl.training.recipe import load_recipe
from napari_rdl.training.run.folder import RunFolder
from napari_rdl.training.run.running import Ended, read_record
from napari_rdl.training.run.session import resume_training, run_training


def main(
    folder: Annotated[str, typer.Argument(help="Folder of patients; SOURCE,share=0.5 sets their share.")],
    out: Annotated[Path, typer.Option(help="Where runs and scores are put.")],
    folds: Annotated[int, typer.Option(min=2, help="Number of folds.")] = 4,
    only: Annotated[
        list[int] | None, typer.Option(help="Train these folds alone, as on another machine.")
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="A recipe's name, or a TOML file.")] = None,
    data: Annotated[list[str] | None, typer.Option(help="Further sources, trained on in every fold.")] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", help="A setting.")] = None,
    stratify: Annotated[str, typer.Option(help="enhancement or none.")] = "enhancement",
    device: Annotated[str, typer.Option(help="Device that scores.")] = "auto",
) -> None:
    """Train and score every fold, then pool."""
    for fold in only or range(folds):
        config = fold_config(folder, fold, folds, recipe, data or [], changes or [], stratify)
        run_fold(config, out / f"fold_{fold}", device)
    done = [fold for fold in range(folds) if (out / f"fold_{fold}" / "evaluation" / "results.json").exists()]
    table = pd.concat([scores_of(out / f"fold_{fold}", fold) for fold in done], ignore_index=True)
    write_text(out / "scores.csv", table.to_csv(index=False))
    rows = pooled(table)
    write_json(out / "cross-validation.json", {"folds": done, "rows": rows})
    text = markdown(rows, done, folds)
    write_text(out / "cross-validation.md", text)
    typer.echo(text)


def fold_config(
    folder: str, fold: int, folds: int, recipe: str | None, data: list[str], changes: list[str], stratify: str
) -> TrainingConfig:
    """Return the configuration of one fold: the folder is cut, everything else is trained on whole."""
    others = [{**read_source(text), "validates": False} for text in data]
    return load_recipe(
        recipe,
        changes,
        data__sources=[read_source(folder), *others],
        data__folds=folds,
        data__fold=fold,
        data__stratify=stratify,
    )


def run_fold(config: TrainingConfig, folder: Path, device: str) -> None:
    """Train a fold, or go on with it, and score who was kept aside with its last weights.

    The last, since the best were chosen on those whom they would be scored on.
    """
    run = RunFolder(folder)
    ended = read_record(run.ended, Ended)
    if ended is None or not ended.finished:
        resume_training(folder) if run.config.exists() else run_training(config, folder)
    kept_aside = json.loads(run.split.read_text("utf-8"))["validation"]
    root = Path(config.data.sources[0].source).expanduser().absolute()
    split = folder / "kept-aside.json"
    write_json(split, {"root": str(root), "test": kept_aside})
    settings = EvaluationSettings(
        segment=SegmentSettings(device=device),
        distances=False,
        labels=config.data.labels,
        resample=config.data.resample,
    )
    evaluate(str(split), load_model(run.last), folder / "evaluation", settings=settings)


def scores_of(folder: Path, fold: int) -> pd.DataFrame:
    """Return a fold's scores, a line for each patient, subset and region."""
    patients = json.loads((folder / "evaluation" / "results.json").read_text("utf-8"))["patients"]
    return pd.DataFrame(
        [
            {"fold": fold, "patient": patient, "subset": subset, "region": region, "dice": values["dice"]}
            for patient, subsets in patients.items()
            for subset, regions in subsets.items()
            for region, values in regions.items()
        ]
    )


def pooled(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the mean Dice over patients with its interval, of each subset and of their mean."""
    rows = []
    over_subsets = table.groupby(["patient", "region"], sort=False)["dice"].mean().reset_index()
    found = set(table["subset"])
    subsets = [name for name in map(subset_name, all_subsets()) if name in found]
    subsets += sorted(found.difference(subsets))
    for subset in [*subsets, "mean of subsets"]:
        lines = over_subsets if subset == "mean of subsets" else table[table["subset"] == subset]
        for region in lines["region"].unique():
            interval = mean_interval(lines[lines["region"] == region]["dice"].to_list())
            rows.append({"subset": subset, "region": region, **vars(interval)})
    return rows


def markdown(rows: list[dict[str, Any]], done: list[int], folds: int) -> str:
    """Return the pooled table: Dice in per cent, with 95 % bootstrap intervals over patients."""
    regions = list(dict.fromkeys(row["region"] for row in rows))
    lines = [
        f"Hard Dice (%), {max(row['count'] for row in rows)} patients in {len(done)} of {folds} folds, each "
        "scored by the network that never saw it; 95 % bootstrap intervals over patients.",
        "",
        f"| subset | {' | '.join(regions)} |",
        f"|---|{'---|' * len(regions)}",
    ]
    for subset in dict.fromkeys(row["subset"] for row in rows):
        cells = [_cell(row) for row in rows if row["subset"] == subset]
        lines.append(f"| {subset} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(row: dict[str, Any]) -> str:
    mean = f"{100 * row['mean']:.1f}"
    return mean if row["low"] is None else f"{mean} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"


if __name__ == "__main__":
    run_script(main)
