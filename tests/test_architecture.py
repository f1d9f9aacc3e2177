"""The design's arrows, and what may be loaded when: held by running the real thing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_no_room_imports_a_room_to_its_left():
    """The contracts in pyproject.toml: layers, napari and Qt only in plugin/, no torch in plugin/."""
    # In a process of its own, since import-linter sets up logging anew and thereby silences our loggers.
    code = (
        "import sys; from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports; "
        "sys.exit(lint_imports(config_filename='pyproject.toml', no_cache=True) != EXIT_STATUS_SUCCESS)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


STEPS = [
    ("import napari_rdl, napari_rdl.brats", {"torch", "monai", "napari", "qtpy", "nibabel", "scipy"}),
    ("import napari_rdl.cli", {"torch", "nibabel", "scipy", "napari", "qtpy", "lightning", "matplotlib"}),
    ("import napari_rdl.case, napari_rdl.metrics", {"torch", "monai", "napari", "qtpy"}),
    ("import napari_rdl.segment, napari_rdl.models", {"monai", "napari", "qtpy", "magicgui"}),
    ("import napari_rdl.training", {"napari", "qtpy", "magicgui"}),
]
"""What one process imports in turn, and which packages neither that nor what came before may load."""


@pytest.fixture(scope="module")
def loaded() -> list[set[str]]:
    """The top-level packages that a fresh process has loaded after each step."""
    said = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    code = "\n".join(f"{step}\n{said}" for step, _ in STEPS)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return [set(line.split()) for line in done.stdout.splitlines()[-len(STEPS) :]]


@pytest.mark.parametrize("step", range(len(STEPS)), ids=[step for step, _ in STEPS])
def test_importing_loads_nothing_heavy_or_of_another_room(loaded, step):
    assert {"napari_rdl", "sys"} <= loaded[step]
    assert not loaded[step] & STEPS[step][1]


def test_public_names_of_the_package_work_as_the_design_has_them():
    import napari_rdl

    for name in napari_rdl.__all__:
        assert getattr(napari_rdl, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'segment_everything'"):
        _ = napari_rdl.segment_everything


def test_continuous_integration_checks_everything_and_runs_the_test_command_of_the_readme():
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    commands = [line for line in lines if "pytest" in line]
    assert commands == lines[-1:]
    assert commands[0] in (ROOT / "README.md").read_text("utf-8").splitlines()
    for check in ("ruff check .", "ruff format --check .", "mypy", "lint-imports", "mkdocs build --strict"):
        assert any(f".venv/bin/{check}" in line for line in lines), check
    words = commands[0].rpartition(".venv/bin/")[2]
    assert f"commands = {words} {{posargs}}" in (ROOT / "tox.ini").read_text("utf-8").splitlines()


@pytest.mark.parametrize("own", [None, "ACTIVE"])
def test_threads_that_wait_leave_the_core_to_others_unless_the_user_has_said(own):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    code = "import napari_rdl, os; print(os.environ['OMP_WAIT_POLICY'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | ({} if own is None else {"OMP_WAIT_POLICY": own}),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.strip() == (own or "PASSIVE")
