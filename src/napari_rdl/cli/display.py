"""Whether a window can be opened here."""

from __future__ import annotations

import os
import subprocess
import sys

# Qt ends the whole process where it cannot reach the display or lacks a library, so another one tries first.
_OPEN_QT = "from qtpy.QtWidgets import QApplication; QApplication([])"
_SECONDS = 60


def reason_for_no_window() -> str | None:
    """Return why no window can be opened here, in a few words, or None where one can."""
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "there is no display, DISPLAY and WAYLAND_DISPLAY are not set"
    try:
        done = subprocess.run(
            [sys.executable, "-c", _OPEN_QT], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return "Qt does not start"
    if done.returncode == 0:
        return None
    if "QtBindingsNotFoundError" in done.stderr:
        return 'no Qt binding is installed, pip install "napari-rdl[all]" brings one'
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return f"Qt cannot start: {lines[0] if lines else 'it does not say why'}"
