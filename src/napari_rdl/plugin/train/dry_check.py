"""The dry run as a process: what patients there are, what a run takes, what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QObject, QProcess, Signal

from napari_rdl.plugin.parts.times import duration
from napari_rdl.training.run.process import RunPlan, training_command

SHOWN_REFUSALS = 5


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
        self._errors = ""
        self._refuses = True

    @property
    def busy(self) -> bool:
        """Whether a check runs."""
        return self._process is not None

    def start(self, plan: RunPlan, *, skips_broken: bool) -> None:
        """Check what `plan` would do; all refused patients are named, whether they are left out or not."""
        self.cancel()
        self._errors, self._refuses = "", not skips_broken
        process = QProcess(self)
        process.readyReadStandardError.connect(self._on_words)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_failed_to_start)
        self._process = process
        program, *words = training_command(
            [*plan.words(), "--set", "data.skip_broken=true", "--dry-run", "--json"]
        )
        self.started.emit()
        process.start(program, words)

    def cancel(self) -> None:
        """End the check; nothing was written but prepared patients."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.waitForFinished(3000)
            process.deleteLater()
            self.ended.emit([])

    def _on_words(self) -> None:
        if self._process is None:
            return
        said = bytes(self._process.readAllStandardError().data()).decode("utf-8", "replace")
        self._errors = (self._errors + said)[-8000:]
        lines = [line for line in said.splitlines() if line.strip()]
        if lines:
            self.progressed.emit(lines[-1])

    def _on_finished(self, code: int, _status: object) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        self._errors += bytes(process.readAllStandardError().data()).decode("utf-8", "replace")
        answer = bytes(process.readAllStandardOutput().data()).decode("utf-8", "replace")
        process.deleteLater()
        try:
            report = json.loads(answer.splitlines()[-1])
        except (ValueError, IndexError):
            said = [line for line in self._errors.splitlines() if line.strip()]
            sentence = said[-1] if said else f"The check ended with code {code} and left no word."
            self.ended.emit([("error", sentence)])
            return
        self.ended.emit(report_in_words(report, refuses=self._refuses))

    def _on_failed_to_start(self, _error: object) -> None:
        process = self._process
        if process is not None and process.state() == QProcess.ProcessState.NotRunning:
            self._process = None
            self.ended.emit([("error", f"Python could not be started: {process.errorString()}")])


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
    unnamed = "not named in the split file"
    refused = {name: reason for name, reason in report["left_out"].items() if reason != unnamed}
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
