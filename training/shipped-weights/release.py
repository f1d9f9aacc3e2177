"""Put a run's weights into the package, with their model card and the figures measured on them.

    python training/shipped-weights/release.py RUN --figures held-out=EVALUATION --figures real=EVALUATION

Each EVALUATION is a folder that ``napari-rdl evaluate`` wrote for the checkpoint. Its Dice table
goes into the card, and the run's loss terms into ``curves.csv`` and ``curves.png`` beside this file.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from napari_rdl.errors import CheckpointError
from napari_rdl.models import bundled_model_path, load_model, save_model

HERE = Path(__file__).parent
TRAINED_ON = (
    "synthetic patients only (napari_rdl.phantom: MNI152 anatomy, simulated gliomas, contrasts and "
    "scanners); no real scan was used"
)
COLUMNS = ("step", "loss", "dice", "divergence", "region_dice", "mutual_information", "lr")


def main(
    run: Annotated[Path, typer.Argument(help="Run folder; its last checkpoint is released.")],
    weights: Annotated[
        Path | None, typer.Option(help="Another checkpoint in its place, as a mean of runs.")
    ] = None,
    figures: Annotated[
        list[str] | None, typer.Option(help="NAME=FOLDER of an evaluation; may be given again.")
    ] = None,
) -> None:
    """Write the bundled checkpoint, and the run's curves."""
    model = load_model(weights or run / "last.safetensors")
    recipe = model.card.recipe
    results = dict(read_figures(*figure.split("=", 1)) for figure in figures or ())
    card = model.card.model_copy(
        update={"name": "synthetic-2mm", "trained_on": TRAINED_ON, "recipe": recipe, "results": results}
    )
    save_model(bundled_model_path(), model.network, card)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    write_curves([line for line in lines if "loss" in line])
    draw_curves([line for line in lines if "loss" in line], [line for line in lines if "validation" in line])


def read_figures(name: str, folder: str) -> tuple[str, dict[str, Any]]:
    """Return an evaluation's table: Dice in per cent, by region and column."""
    content = json.loads((Path(folder) / "results.json").read_text("utf-8"))
    table = next(table for table in content["tables"] if table["measure"] == "dice")
    if content["failed"]:
        raise CheckpointError(f"{folder} has patients without scores: evaluate them again.")
    values = {
        region: dict(zip(table["columns"], (None if v is None else round(v, 1) for v in row), strict=True))
        for region, row in table["values"].items()
    }
    return name, {"patients": content["about"]["patients"], "dice_percent": values}


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
    typer.run(main)
