"""`napari-rdl check`: what was found, and what looks wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_rdl.cli.console import listed_failures, refuse_failures, stdout_for_results, write, write_json
from napari_rdl.cli.options import Cases, Json, Labels, Resample
from napari_rdl.cli.sources import Source, find_sources
from napari_rdl.cli.wording import sentence_of
from napari_rdl.errors import NapariRdlError

if TYPE_CHECKING:
    from napari_rdl.case import Case, Finding


def check(
    cases: Cases = None, labels: Labels = None, resample: Resample = False, as_json: Json = False
) -> None:
    """Say what a patient's files are and what looks wrong.

    Nothing is written.
    """
    sources = find_sources(cases)
    reports: list[dict[str, object]] = []
    failures: dict[str, str] = {}
    for source in sources:
        try:
            with stdout_for_results():
                report = _examine(source, labels, resample)
        except NapariRdlError as error:
            if len(sources) == 1:
                raise
            failures[source.title] = sentence_of(error)
            continue
        reports.append(report)
        if not as_json:
            _show(report)
    if as_json:
        write_json(
            reports[0] if len(sources) == 1 else {"cases": reports, "failures": listed_failures(failures)}
        )
    refuse_failures(failures, len(sources), "cannot be used as they are")


def _examine(source: Source, labels: str | None, resample: bool) -> dict[str, object]:
    from napari_rdl.case import check_case, load_case

    case = load_case(source.files, labels=labels, resample=resample)
    return describe_case(case, check_case(case))


def describe_case(case: Case, findings: list[Finding]) -> dict[str, object]:
    """Return what is known of a case as plain values, as ``check --json`` writes it."""
    import nibabel as nib

    return {
        "case": case.name,
        "modalities": {name: _path(case.files.get(name)) for name in case.modalities},
        "mask": _path(case.mask_file),
        "labels": case.convention.name,
        "native": {
            "shape": list(case.native.shape),
            "orientation": "".join(nib.aff2axcodes(case.native.affine)),
            "affine": case.native.affine.tolist(),
        },
        "spacing_mm": [round(float(size), 4) for size in case.grid.spacing],
        "resampled": case.resampled,
        "findings": [
            {"level": finding.level, "modality": finding.modality, "message": finding.message}
            for finding in findings
        ],
    }


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _show(report: dict) -> None:
    native = report["native"]
    shape = " x ".join(map(str, native["shape"]))
    spacing = " x ".join(f"{size:g}" for size in report["spacing_mm"])
    write(report["case"])
    for modality, path in report["modalities"].items():
        write(f"  {modality:<6}{path or 'no file'}")
    write(f"  mask  {report['mask'] or 'none'}")
    write(f"  grid  {shape} voxels, {native['orientation']}; {spacing} mm along right, anterior, superior")
    write(f"  label convention {report['labels']}")
    for finding in report["findings"]:
        write(f"  {finding['level']}: {finding['message']}")
    if not report["findings"]:
        write("  nothing looks wrong")
