"""Dice against time: ``python training/dice_against_time.py shapes``.

Trains the rows of a table as ``run_table.py`` does, scores each on patients' own grid, measures in turns what
encoding a patient costs, and writes ``results/<table>-time.md``, ``.csv`` and ``.png``. What is done is not
repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated

import pandas as pd
import typer
from run_table import HERE, Run, dice_of, load_experiment, plan
from table_report import machines, mean_over_patients

from napari_rdl.brats import REGIONS
from napari_rdl.case import Case, load_case
from napari_rdl.cli.app import run_script
from napari_rdl.cohort.charts import LIGHT, finish, new_figure, png
from napari_rdl.cohort.evaluate import EvaluationSettings, evaluate
from napari_rdl.files import write_bytes, write_text
from napari_rdl.models import Model, load_model
from napari_rdl.phantom import sample_patient_folder
from napari_rdl.segment import SegmentSettings, encode

MARKERS = "osD^vP"


def scores(run: Run, model: Model, patients: str) -> dict[str, float]:
    """Return hard Dice in per cent on patients' own grid, of the full set and the mean of fifteen."""
    evaluation = evaluate(
        patients, model, run.folder / "native", settings=EvaluationSettings(distances=False)
    )
    assert evaluation is not None
    table = mean_over_patients(dice_of(evaluation.scores))
    full = {f"full {region}": value for region, value in zip(REGIONS, table[-1], strict=True)}
    fifteen = {f"mean {region}": value for region, value in zip(REGIONS, table.mean(0), strict=True)}
    return full | {"full": float(table[-1].mean())} | fifteen | {"mean": float(table.mean())}


def seconds(models: Sequence[Model], case: Case, rounds: int) -> list[float]:
    """Return the median time of encoding all modalities of a patient, the models in turns."""
    settings = SegmentSettings(device="cpu")
    taken: list[list[float]] = [[] for _ in models]
    for _ in range(rounds):
        for model, own in zip(models, taken, strict=True):
            start = perf_counter()
            encode(case, model, settings=settings)
            own.append(perf_counter() - start)
    return [median(own) for own in taken]


def draw(rows: pd.DataFrame, title: str) -> bytes:
    """Draw Dice of all modalities and of the mean of fifteen subsets over the time of a patient."""
    figure = new_figure((6.4, 3.6), LIGHT)
    axes = figure.subplots(1, 2, sharey=True)
    for axis, column, said in zip(
        axes, ("full", "mean"), ("all modalities", "mean of fifteen subsets"), strict=True
    ):
        best = rows.sort_values("seconds")
        best = best[best[column] >= best[column].cummax()]
        axis.plot(best["seconds"], best[column], color=LIGHT.line, zorder=1)
        for marker, (_, row) in zip(MARKERS * len(rows), rows.iterrows(), strict=False):
            axis.scatter(row["seconds"], row[column], marker=marker, s=28, label=row["row"], zorder=2)
        axis.set_title(said, fontsize=9)
        axis.set_xlabel("seconds to encode a patient", fontsize=8)
        axis.set_xlim(left=0)
    axes[0].set_ylabel("hard Dice in %, mean of WT, TC, ET", fontsize=8)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=7, frameon=False)
    figure.suptitle(title, fontsize=10)
    finish(figure, LIGHT)
    return png(figure)


def scored(runs: Iterable[Run], patients: str, rounds: int) -> pd.DataFrame:
    """Return a line a run: what it is, how long it trained, Dice, and the time of a patient."""
    runs = list(runs)
    models = [load_model(run.folder / "last.safetensors") for run in runs]
    case = load_case(sample_patient_folder())
    lines = [
        {"row": run.row.name, "seed": run.seed, "steps": run.steps(), **scores(run, model, patients)}
        for run, model in zip(runs, models, strict=True)
    ]
    for line, taken in zip(lines, seconds(models, case, rounds), strict=True):
        line["seconds"] = taken
    return pd.DataFrame(lines)


def page(
    shown: pd.DataFrame,
    title: str,
    table: str,
    patients: str,
    made: Iterable[str],
    left: Sequence[str],
) -> str:
    """Return the curve and its numbers as Markdown."""
    regions = ["full WT", "full TC", "full ET", "mean WT", "mean TC", "mean ET"]
    lines = [
        f"# {title}: Dice against time",
        "",
        f"    python training/dice_against_time.py {table} --patients {patients}",
        "",
        f"![Dice over the seconds that encoding a patient takes]({table}-time.png)",
        "",
        f"Hard Dice in per cent on patients' own grid, mean over {patients}; all modalities, and the mean of "
        "fifteen subsets. Seconds: the sample patient's four modalities encoded, median, the rows in turns.",
        "",
        f"| | steps | seconds | {' | '.join(regions)} |",
        "|---" * (3 + len(regions)) + "|",
    ]
    for _, row in shown.iterrows():
        numbers = " | ".join(f"{row[region]:.1f}" for region in regions)
        lines.append(f"| {row['row']} | {row['steps']:.0f} | {row['seconds']:.2f} | {numbers} |")
    lines += ["", *(f"Made with {machine}." for machine in made)]
    if left:
        lines += ["", f"Not trained: {'; '.join(dict.fromkeys(left))}."]
    return "\n".join(lines) + "\n"


def main(
    table: Annotated[str, typer.Argument(help="A table of experiments/.")] = "shapes",
    runs: Annotated[Path, typer.Option(help="Where run folders go.")] = Path("runs"),
    patients: Annotated[str, typer.Option(help="Who is scored.")] = "phantom:6:30000400",
    rounds: Annotated[int, typer.Option(help="How often a patient is encoded by each.")] = 3,
    results: Annotated[Path, typer.Option(help="Where the curve goes.")] = HERE / "results",
    collect: Annotated[bool, typer.Option("--collect", help="Train nothing: draw what is there.")] = False,
) -> None:
    """Train what is not trained yet, score it, measure it, and draw Dice against time."""
    experiment = load_experiment(table)
    planned = plan(experiment, experiment.benchmark, [], runs)
    left = [run for run in planned if not run.is_trained()]
    if collect:
        planned = [run for run in planned if run not in left]
        if not planned:
            raise typer.BadParameter(f"Nothing of the table {table!r} is trained in {runs}.")
    else:
        for run in left:
            typer.echo(f"{run.row.name}, seed {run.seed}: {run.folder}", err=True)
            run.train()
        left = []
    lines = scored(planned, patients, rounds)
    shown = lines.drop(columns="seed").groupby("row", sort=False).mean().reset_index()
    write_text(results / f"{table}-time.csv", lines.round(3).to_csv(index=False))
    write_bytes(results / f"{table}-time.png", draw(shown, experiment.title))
    text = page(shown, experiment.title, table, patients, machines(planned), [run.row.name for run in left])
    write_text(results / f"{table}-time.md", text + (f"\n{experiment.note}\n" if experiment.note else ""))


if __name__ == "__main__":
    run_script(main)
