"""`napari-rdl predict --from`: repeat a recorded run to the byte."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from napari_rdl.cli.console import say
from napari_rdl.errors import CaseError, CheckpointError, first_fault

if TYPE_CHECKING:
    from napari_rdl.case import Provenance
    from napari_rdl.models import Model
    from napari_rdl.segment import SegmentSettings


def recorded_inputs(path: Path, record: Provenance) -> dict[str, Path]:
    """Return the recorded images, after making sure that they are still the same.

    Raises
    ------
    CaseError
        If one has no file, has gone, or has changed since.
    """
    from napari_rdl.case import file_sha256

    files: dict[str, Path] = {}
    for modality, entry in record.inputs.items():
        if entry.path is None:
            raise CaseError(
                f"{path} is of a {modality} image that was a layer without a file: save it and run it anew."
            )
        files[modality] = Path(entry.path)
        if file_sha256(files[modality]) != entry.sha256:
            raise CaseError(
                f"{entry.path} has changed since {path} was recorded: put the old file back, or run it anew."
            )
    return files


def recorded_model(path: Path, record: Provenance, given: str | None) -> Model:
    """Load the recorded weights, from `given` where they have moved.

    Raises
    ------
    CheckpointError
        If they cannot be read or are others.
    """
    from napari_rdl.models import bundled_model_with, load_model

    source: str | Path | None = given or record.weights.path
    # Without a path these were bundled weights: whichever of them still are.
    model = load_model(source or bundled_model_with(record.weights.sha256))
    if model.sha256 != record.weights.sha256:
        raise CheckpointError(
            f"{model.path} does not hold the weights {record.weights.name!r} that {path} was recorded with "
            f"(SHA-256 {record.weights.sha256[:12]}...): give those with --model."
        )
    return model


def recorded_settings(path: Path, record: Provenance) -> SegmentSettings:
    """Return the settings, with device and precision as they were in the end.

    Raises
    ------
    CaseError
        If the record holds settings that this version does not know.
    """
    from napari_rdl.segment import SegmentSettings

    try:
        return SegmentSettings.model_validate(
            record.settings | {"device": record.device, "precision": record.precision}
        )
    except ValidationError as error:
        where, what = first_fault(error)
        raise CaseError(
            f"{path} holds settings that this version does not take ({where}: {what}): "
            "use the version that wrote it."
        ) from error


def say_what_differs(path: Path, record: Provenance) -> None:
    """Warn where the recorded run was made with other versions, or had to step down."""
    from napari_rdl.case.provenance import current_versions

    now = current_versions()
    changed = [
        f"{name} {then} (now {now.get(name, 'absent')})"
        for name, then in record.versions.items()
        if now.get(name) != then
    ]
    if changed:
        say(f"warning: {path} was made with {', '.join(changed)}: the bytes may differ.")
    if record.steps:
        say(f"warning: {path} ran out of memory on the way: the bytes may differ.")
