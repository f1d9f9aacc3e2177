"""`napari-rdl predict`: segment patients with whatever modalities they have."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, cast

import typer

from napari_rdl.brats import all_subsets, parse_subset, subset_name
from napari_rdl.callbacks import Progress
from napari_rdl.cli.console import (
    listed_failures,
    progress_bar,
    refuse_failures,
    say,
    say_findings,
    stdout_for_results,
    write,
    write_json,
)
from napari_rdl.cli.options import Cases, Device, Json, Labels, Model, Out, Resample
from napari_rdl.cli.repeat import recorded_inputs, recorded_model, recorded_settings, say_what_differs
from napari_rdl.cli.sources import Source, find_sources
from napari_rdl.cli.wording import sentence_of
from napari_rdl.errors import ConfigError, NapariRdlError
from napari_rdl.files import refuse_unusable_folder
from napari_rdl.models import Expectation

if TYPE_CHECKING:
    from napari_rdl.case import Case, Finding, Provenance
    from napari_rdl.models import Model as LoadedModel
    from napari_rdl.segment import SegmentSettings

    Read = tuple[Case, list[Finding]]
    """A patient, and what looks wrong with it."""


@dataclass
class Seconds:
    """Where the time went, summed over patients; of reading, which goes on beside it, what was waited for."""

    load: float = 0.0
    encode: float = 0.0
    combine: float = 0.0
    save: float = 0.0


@dataclass
class Run:
    """What to do with each patient, and where the time has gone."""

    model: LoadedModel
    settings: SegmentSettings
    out: Path
    modalities: tuple[str, ...] | None = None
    all_subsets: bool = False
    seconds: Seconds = field(default_factory=Seconds)

    def segment(self, reading: Future[Read], progress: Progress) -> list[dict[str, object]]:
        """Segment one patient, as soon as it is read, and save the results.

        Returns
        -------
        list of dict
            ``case``, ``modalities``, ``path`` and ``volumes_ml`` of each segmentation, and what the
            model's card says is to be ``expected`` of it, where it does.

        Raises
        ------
        NapariRdlError
            If the patient cannot be read, encoded or saved; nothing is written in the first two cases.
        """
        from napari_rdl.segment import encode

        clock = perf_counter()
        case, findings = reading.result()
        say_findings(case, findings)
        self._refuse_beforehand(case)
        clock = self._lap("load", clock)
        representations = encode(
            case, self.model, modalities=self.modalities, settings=self.settings, progress=progress
        )
        for step in representations.computation.steps:
            say(f"warning: {case.name}: {step}")
        clock = self._lap("encode", clock)
        combined = representations.combine_all() if self.all_subsets else iter([representations.combine()])
        records: list[dict[str, object]] = []
        for segmentation in combined:
            volumes = segmentation.volumes_ml()
            clock = self._lap("combine", clock)
            path = segmentation.save(self.out)
            clock = self._lap("save", clock)
            record: dict[str, object] = {
                "case": case.name,
                "modalities": list(segmentation.modalities),
                "path": str(path),
                "volumes_ml": volumes,
            }
            expected = segmentation.expected
            if expected is not None:
                record["expected"] = expected.model_dump(mode="json")
            records.append(record)
        # They come in the order that shares most work; a reader looks for that of the paper's tables.
        order = [list(subset) for subset in all_subsets(representations.modalities)]
        records.sort(key=lambda record: order.index(cast(list[str], record["modalities"])))
        return records

    def _refuse_beforehand(self, case: Case) -> None:
        """Refuse, before time is spent, untrained subsets, and to write over an expert's mask."""
        from napari_rdl.segment.representations import untrained_subset
        from napari_rdl.segment.segmentation import output_name, refuse_foreign_labels

        used = self.modalities or case.modalities
        for subset in all_subsets(used) if self.all_subsets else [used]:
            if (error := untrained_subset(self.model.card, subset)) is not None:
                raise error
            refuse_foreign_labels(self.out / output_name(case.name, subset, case.modalities))

    def _lap(self, stage: str, since: float) -> float:
        now = perf_counter()
        setattr(self.seconds, stage, getattr(self.seconds, stage) + now - since)
        return now


def predict(
    out: Out,
    cases: Cases = None,
    modalities: Annotated[
        str | None, typer.Option(metavar="T1c,FLAIR", help="Use these alone; all that are there by default.")
    ] = None,
    all_subsets: Annotated[
        bool, typer.Option("--all-subsets", help="One segmentation for every subset of the modalities.")
    ] = False,
    model: Model = None,
    device: Device = "auto",
    labels: Labels = None,
    resample: Resample = False,
    repeat: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="JSON", help="Repeat the run that this record describes, to the byte."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Segment one patient, or a whole folder of them.

    Labels are written on the native grid, with a record beside each from which --from repeats the run.
    """
    refuse_unusable_folder(out)
    with stdout_for_results(), ThreadPoolExecutor(1) as reader:
        if repeat is None:
            sources = find_sources(cases)
            # Before the network's library is loaded: one waits for the disk, the other does not.
            readings = _read_ahead(reader, sources, labels, resample)
            run = _new_run(out, modalities, all_subsets, model, device)
        elif cases or modalities or all_subsets or labels or resample or device != "auto":
            raise ConfigError(f"{repeat} says what to run: give --from with --out, --model and --json alone.")
        else:
            run, source, recorded = _recorded_run(repeat, out, model)
            sources = [source]
            readings = _read_ahead(reader, sources, recorded.labels, recorded.resample)
        records, failures = _run_all(run, sources, readings)
    single = len(sources) == 1
    if as_json:
        seconds = {stage: round(value, 3) for stage, value in vars(run.seconds).items()}
        listed = [
            {key: record[key] for key in record if not (single and key == "case")} for record in records
        ]
        document = {"segmentations": listed, "seconds": seconds}
        write_json(document if single else document | {"failures": listed_failures(failures)})
    else:
        for record in records:
            _show(record)
    refuse_failures(failures, len(sources), "could not be segmented")


def _new_run(
    out: Path,
    modalities: str | None,
    all_subsets: bool,
    model: str | None,
    device: str,
) -> Run:
    subset = _parse_modalities(modalities)
    started = perf_counter()
    # What is imported stays: there is no garbage to look for meanwhile.
    gc.disable()
    try:
        from napari_rdl.models import load_model
        from napari_rdl.segment import SegmentSettings
    finally:
        gc.enable()

    settings = SegmentSettings(device=device)
    run = Run(load_model(model), settings, out, subset, all_subsets)
    run.seconds.load = perf_counter() - started
    return run


def _recorded_run(path: Path, out: Path, model: str | None) -> tuple[Run, Source, Provenance]:
    from napari_rdl.case import Provenance

    started = perf_counter()
    record = Provenance.read(path)
    files = recorded_inputs(path, record)
    settings = recorded_settings(path, record)
    loaded = recorded_model(path, record, model)
    say_what_differs(path, record)
    run = Run(loaded, settings, out, record.modalities)
    run.seconds.load = perf_counter() - started
    return run, Source(files, record.case, record.case), record


def _read_ahead(
    reader: Executor, sources: list[Source], labels: str | None, resample: bool
) -> Iterator[Future[Read]]:
    """Begin to read the first patient now, and each other one when the one before it is asked for."""

    def read(source: Source) -> Read:
        from napari_rdl.case import check_case, load_case

        case = load_case(source.files, name=source.name, labels=labels, resample=resample)
        return case, check_case(case)

    ahead = [reader.submit(read, sources[0])]

    def readings() -> Iterator[Future[Read]]:
        for following in sources[1:]:
            ahead.append(reader.submit(read, following))
            yield ahead.pop(0)
        yield ahead.pop()

    return readings()


def _run_all(
    run: Run, sources: list[Source], readings: Iterator[Future[Read]]
) -> tuple[list[dict[str, object]], dict[str, str]]:
    """Segment every patient; with several, one that fails does not stop the others."""
    records: list[dict[str, object]] = []
    failures: dict[str, str] = {}
    for number, (source, reading) in enumerate(zip(sources, readings, strict=True), 1):
        title = source.title if len(sources) == 1 else f"[{number}/{len(sources)}] {source.title}"
        try:
            with progress_bar(title) as progress:
                records += run.segment(reading, progress)
        except NapariRdlError as error:
            if len(sources) == 1:
                raise
            failures[source.title] = sentence_of(error)
    return records, failures


def _parse_modalities(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    try:
        return parse_subset(text)
    except ValueError as error:
        raise ConfigError(f"--modalities {text}: {error}") from None


def _show(record: dict) -> None:
    volumes = ", ".join(f"{region} {ml:.1f} ml" for region, ml in record["volumes_ml"].items())
    write(f"{record['path']}  {subset_name(record['modalities'])}: {volumes}")
    if "expected" in record and (line := Expectation.model_validate(record["expected"]).line):
        write(f"    {line}")
