"""`predict` and `study` killed while they write, again and again: nothing is half, the next run goes on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_rdl.case.provenance import Provenance
from napari_rdl.cli import main
from napari_rdl.cohort import load_study
from napari_rdl.files import is_scratch

KILLS = int(os.environ.get("NAPARI_RDL_KILLS", "4"))
"""How often; a night is for dozens."""

KILLER = """
import os, random, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from napari_rdl.cli import main
from napari_rdl.cohort import charts, report

# All is written, little of it drawn.
charts.png = lambda figure, dpi=150: b"PNG"
names = [f"{kind}_{what}" for kind in ("heatmap", "boxes") for what in ("dice", "volume_ml")]
report.chart_images = lambda *_: dict.fromkeys(names, b"PNG")
out, kills, *words = Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
began = time.monotonic()
assert main([*words, "--out", str(out / "whole")]) == 0
length = time.monotonic() - began
rng = random.Random(11)
for number in range(kills):
    folder = out / str(number)
    child = os.fork()
    if child == 0:
        try:
            main([*words, "--out", str(folder)])
        finally:
            os._exit(0)
    # From the first file on: before, there is nothing that could be half.
    until = time.monotonic() + 100
    while time.monotonic() < until and not any(folder.rglob("*")) and os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(0.0005)
    time.sleep(rng.uniform(0, 0.1))
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
"""


def killed(python: str, words: list[str], out: Path, kills: int) -> list[Path]:
    """Run a command whole, then killed at drawn moments; return the folders of the latter."""
    done = subprocess.run(
        [python, "-c", KILLER, str(out), str(kills), *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return [out / str(number) for number in range(kills)]


pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked on Windows")


def test_no_label_of_predict_stands_without_its_record(brats_folder, tiny_checkpoint, warm_python, tmp_path):
    words = [
        "predict",
        str(brats_folder),
        "--model",
        str(tiny_checkpoint),
        "--device",
        "cpu",
        "--all-subsets",
    ]
    folders = killed(warm_python, words, tmp_path, KILLS)
    whole = {path.name: nib.load(path).dataobj for path in (tmp_path / "whole").glob("*.nii.gz")}
    assert len(whole) == 15
    counts = []
    for folder in folders:
        labels = list(folder.glob("[!.]*.nii.gz"))
        counts.append(len(labels))
        for path in labels:
            record = Provenance.read(path.with_name(path.name.replace(".nii.gz", ".json")))
            assert record.output == path.name
            np.testing.assert_array_equal(nib.load(path).dataobj, whole[path.name])
    # They were not all killed before they wrote, nor all too late.
    assert min(counts) < 15
    assert max(counts) > 0
    last = folders[-1]
    assert main([*words, "--out", str(last)]) == 0
    assert len(list(last.glob("*.nii.gz"))) == 15
    assert not [path for path in last.iterdir() if is_scratch(path.name)]


def test_a_study_killed_while_it_writes_goes_on(
    patients_folder, tiny_checkpoint, warm_python, tmp_path, uncharted
):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("BraTS2021_91000", "BraTS2021_91003"):
        (data / name).symlink_to(patients_folder / name)
    words = ["study", str(data), "--model", str(tiny_checkpoint), "--device", "cpu", "--no-hd95"]
    folders = killed(warm_python, words, tmp_path, max(KILLS // 4, 1))
    whole = load_study(tmp_path / "whole")
    assert len(whole.patients) == 2
    folder = folders[-1]
    assert main([*words, "--out", str(folder)]) == 0
    assert load_study(folder).patients == whole.patients
    assert not [path for path in folder.rglob("*") if is_scratch(path.name)]
