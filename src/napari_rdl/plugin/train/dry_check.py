"""The dry run as a process: what patients there are, what a run takes, what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from qtpy.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal

from napari_rdl.plugin.parts.times import duration
from napari_rdl.plugin.train.run_view import status_in_words
from napari_rdl.training.run.process import RunPlan, training_command, training_environment
from napari_rdl.training.run.running import read_record
from napari_rdl.training.run.status import Status

SHOWN_REFUSALS = 5
_LOOK_MS = 500


class DryCheck(QObject):
    """Runs one check at a time.

    Signals
    -------
    started : no value
    progressed : str
        What the process says it is doing.
    ended : list of (str, str)
        Levels and sentences for a message bar.
    """

    started = Signal()
    progressed = Signal(str)
    ended = Signal(list)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._told: TemporaryDirectory[str] | None = None
        self._refuses = True
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)

    @property
    def busy(self) -> bool:
        """Whether a check runs."""
        return self._process is not None

    def start(self, plan: RunPlan, *, skips_broken: bool) -> None:
        """Check what `plan` would do; all refused patients are named, whether they are left out or not."""
        self.cancel()
        self._refuses = not skips_broken
        self._told = TemporaryDirectory(prefix="napari-rdl-", ignore_cleanup_errors=True)
        process = QProcess(self)
        environment = QProcessEnvironment()
        for name, value in training_environment(Path(self._told.name) / "status.json").items():
            environment.insert(name, value)
        process.setProcessEnvironment(environment)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_failed_to_start)
        self._process = process
        program, *words = training_command(
            [*plan.words(), "--set", "data.skip_broken=true", "--dry-run", "--json"]
        )
        self.started.emit()
        process.start(program, words)
        self._timer.start()

    def cancel(self) -> None:
        """End the check; nothing was written but prepared patients."""
        process = self._let_go()
        if process is not None:
            process.kill()
            process.waitForFinished(3000)
            process.deleteLater()
            self._forget()
            self.ended.emit([])

    def _look(self) -> None:
        status = self._status()
        if status is not None and status.kind == "working":
            self.progressed.emit(status_in_words(status))

    def _on_finished(self, code: int, _how: object) -> None:
        process = self._let_go()
        if process is None:
            return
        answer = bytes(process.readAllStandardOutput().data()).decode("utf-8", "replace")
        errors = bytes(process.readAllStandardError().data()).decode("utf-8", "replace")
        status = self._status()
        process.deleteLater()
        self._forget()
        try:
            report = json.loads(answer.splitlines()[-1])
        except (ValueError, IndexError):
            if status is not None and status.kind == "refused":
                sentence = status_in_words(status)
            else:
                # It died before it could tell; its last line is all there is.
                said = next((line for line in reversed(errors.splitlines()) if line.strip()), "no word")
                sentence = f"The check ended with code {code} and left: {said}"
            self.ended.emit([("error", sentence)])
            return
        self.ended.emit(report_in_words(report, refuses=self._refuses))

    def _on_failed_to_start(self, _error: object) -> None:
        process = self._process
        if process is not None and process.state() == QProcess.ProcessState.NotRunning:
            self._let_go()
            self._forget()
            self.ended.emit([("error", f"Python could not be started: {process.errorString()}")])

    def _status(self) -> Status | None:
        return read_record(Path(self._told.name) / "status.json", Status) if self._told is not None else None

    def _let_go(self) -> QProcess | None:
        self._timer.stop()
        process, self._process = self._process, None
        return process

    def _forget(self) -> None:
        if self._told is not None:
            self._told.cleanup()
            self._told = None


def report_in_words(report: Mapping[str, Any], *, refuses: bool) -> list[tuple[str, str]]:
    """Return what a dry run found as levels and sentences.

    Parameters
    ----------
    report : mapping
        What ``--dry-run --json`` prints.
    refuses : bool
        Whether the run would refuse to begin with patients that cannot be used.
    """
    seconds = report["steps"] * report["seconds_per_step"]
    found = [
        (
            "note",
            f"Found {report['train']} training and {report['validation']} validation patients. "
            f"{report['steps']} steps of {report['seconds_per_step']:.2g} s take about {duration(seconds)} "
            f"beside validation. Memory: {report['memory_mb']:.0f} MB.",
        )
    ]
    refused = report["refused"]
    if not report["validation"]:
        found.append(("warning", "Nobody validates: there will be no Dice and no best checkpoint."))
    if refused:
        names = list(refused)
        more = f" (and {len(names) - SHOWN_REFUSALS} more)" if len(names) > SHOWN_REFUSALS else ""
        what = (
            "A run refuses to begin with them: mend them, or switch on Data > Skip broken patients."
            if refuses
            else "They are left out."
        )
        listed = " ".join(f"{name}: {refused[name].rstrip('.')}." for name in names[:SHOWN_REFUSALS])
        found.append(("warning", f"{len(names)} cannot be used{more}. {what} {listed}"))
    return found
