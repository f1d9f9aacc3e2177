"""`napari-rdl bench`: the design's speed promises, measured here; below it, other measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from napari_rdl.cli.annotator import annotator
from napari_rdl.cli.bench_faults import faults
from napari_rdl.cli.bench_figures import Results, pages
from napari_rdl.cli.bench_limits import growth, roofline, steps
from napari_rdl.cli.bench_methods import methods
from napari_rdl.cli.bench_opening import opening
from napari_rdl.cli.bench_training import train
from napari_rdl.cli.bench_window import soak, viewer
from napari_rdl.cli.console import progress_bar, say, stdout_for_results, write, write_json
from napari_rdl.cli.display import reason_for_no_window
from napari_rdl.cli.options import Device, Json, Model
from napari_rdl.cli.tasks import tasks

if TYPE_CHECKING:
    from napari_rdl.bench import Report

bench_app = typer.Typer(rich_markup_mode=None, invoke_without_command=True)
bench_app.command()(annotator)
bench_app.command()(train)
bench_app.command()(faults)
bench_app.command()(methods)
bench_app.command()(tasks)
bench_app.command()(opening)
for command in (viewer, soak, steps, roofline, growth, pages):
    bench_app.command()(command)


@bench_app.callback()
def bench(
    context: typer.Context,
    size: Annotated[str, typer.Option(help="brats (240 x 240 x 155) or small (a quick look).")] = "brats",
    repeats: Annotated[int, typer.Option(min=1, help="Rounds; medians over them are told.")] = 3,
    model: Model = None,
    device: Device = "cpu",
    window: Annotated[
        bool,
        typer.Option(
            "--viewer/--no-viewer", help="Also measure in a napari window, where there is a display."
        ),
    ] = True,
    out: Results = None,
    as_json: Json = False,
) -> None:
    """Measure the speed on this machine.

    Ratios and medians of one run: encoding, all subsets, their study, flipping a modality, and how
    long the window takes to answer beside a training.
    """
    if context.invoked_subcommand is not None:
        return
    with stdout_for_results(), progress_bar("Benchmark") as progress:
        from napari_rdl.bench import bench_case, measure
        from napari_rdl.models import load_model
        from napari_rdl.segment import SegmentSettings

        case = bench_case(size, progress)
        report, representations = measure(
            case,
            load_model(model),
            SegmentSettings(device=device),
            size=size,
            repeats=repeats,
            progress=progress,
        )
        reason = reason_for_no_window() if window else None
        if reason is not None:
            say(f"Not measured in a window: {reason}.")
        elif window:
            from napari_rdl.bench.viewer import measure_viewer, measure_watch

            found = {"viewer": measure_viewer(representations, repeats), "watch": measure_watch()}
            report = report.model_copy(update=found)
    if out is not None:
        from napari_rdl.bench.report_figures import encode_figures

        encode_figures(report, f"napari-rdl bench --size {size} --repeats {repeats}").write(out)
    if as_json:
        write_json(report.model_dump(mode="json"))
    else:
        _show(report)


def _show(report: Report) -> None:
    shape = " x ".join(map(str, report.shape))
    write(f"{report.model} on {shape} voxels; {report.device}, {report.precision}, {report.threads} threads")
    for row in report.encode:
        write(
            f"  encode {row.modalities} modalities   {row.seconds:8.2f} s   "
            f"ratio {row.ratio:.2f} (k of all: {row.ideal:.2f})"
        )
    every = report.all_subsets
    write(
        f"  all {every.subsets} subsets       {every.seconds:8.2f} s   "
        f"ratio {every.ratio:.2f} of one run of {every.one_run_seconds:.2f} s (at most {every.limit:.2f})"
    )
    study = report.study
    write(
        f"  study of all subsets {study.seconds:8.2f} s   "
        f"ratio {study.ratio:.2f} of the encode before it (at most {study.limit:.2f}); "
        f"HD95 {study.distances_seconds:.2f} s more; labels held in {study.megabytes:.0f} MB"
    )
    flip = report.flip
    write(
        f"  flip, shown slice    {flip.slice_seconds * 1e3:8.1f} ms  {flip.slice_frames:.2f} frames of 1/30 s"
    )
    write(f"  flip, whole volume   {flip.volume_seconds * 1e3:8.1f} ms")
    if report.viewer is not None:
        shown = report.viewer
        write(
            f"  flip, in a window    {shown.redraw_seconds * 1e3:8.1f} ms  to drawn pixels, "
            f"{shown.idle_seconds * 1e3:.1f} ms of it for drawing with nothing changed"
        )
    if report.watch is not None:
        watch = report.watch
        write(
            f"  answer, beside a run {watch.worst_seconds * 1e3:8.1f} ms  at worst in {watch.seconds:.0f} s, "
            f"median {watch.median_seconds * 1e3:.1f} ms in a second; "
            f"{watch.late} longer than {watch.limit * 1e3:.0f} ms"
        )
