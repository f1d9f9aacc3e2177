"""`napari-rdl demo`: the sample patient, segmented before one's eyes, or into files without a display."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_rdl.cli.console import progress_bar, say, stdout_for_results, write
from napari_rdl.cli.display import reason_for_no_window
from napari_rdl.cli.options import Device, Model
from napari_rdl.errors import ConfigError
from napari_rdl.files import refuse_unusable_folder


def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="Open no window; write files instead.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where files go without a window; napari-rdl-demo by default.",
            show_default=False,
        ),
    ] = None,
    model: Model = None,
    device: Device = "auto",
) -> None:
    """Show the sample patient, segmented, in napari.

    Without a display, or with --headless, labels, volumes and a picture are written instead.
    """
    reason = "asked for with --headless" if headless else reason_for_no_window()
    if reason is not None:
        _write_demo(reason, out or Path("napari-rdl-demo"), model, device)
        return
    if out is not None:
        raise ConfigError(f"--out {out} is for a run without a window; add --headless.")
    if model is not None:
        from napari_rdl.models import load_model

        load_model(model)  # what cannot be used is said here, not in a window
    with progress_bar("Sample patient") as progress:
        from napari_rdl.phantom import sample_patient_folder

        patient = sample_patient_folder(progress)
    from napari_rdl.models import model_path
    from napari_rdl.plugin.segment.demo import show_demo

    show_demo(patient, model=None if model is None else model_path(model), device=device)


def _write_demo(reason: str, out: Path, model: str | None, device: str) -> None:
    refuse_unusable_folder(out)
    say(f"No window ({reason}): the sample patient is segmented into {out}.")
    with stdout_for_results(), progress_bar("Sample patient") as progress:
        from napari_rdl.brats import all_subsets
        from napari_rdl.case import load_case
        from napari_rdl.files import write_json
        from napari_rdl.models import load_model
        from napari_rdl.phantom import sample_patient_folder
        from napari_rdl.segment import SegmentSettings, encode
        from napari_rdl.segment.figure import draw_segmentations

        loaded = load_model(model)
        case = load_case(sample_patient_folder(progress))
        representations = encode(case, loaded, settings=SegmentSettings(device=device), progress=progress)
        subsets = [
            subset for subset in all_subsets(case.modalities) if len(subset) >= len(case.modalities) - 1
        ]
        # All modalities first, then what each of them was worth.
        segmentations = [representations.combine(subset) for subset in reversed(subsets)]
        records = [
            {
                "modalities": list(segmentation.modalities),
                "path": str(segmentation.save(out)),
                "volumes_ml": segmentation.volumes_ml(),
            }
            for segmentation in segmentations
        ]
        document = {"case": case.name, "segmentations": records}
        volumes = write_json(out / f"{case.name}_volumes.json", document)
        picture = draw_segmentations(segmentations, out / f"{case.name}.png")
    for path in (*(record["path"] for record in records), volumes, picture):
        write(path)
