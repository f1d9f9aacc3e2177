"""The benchmark of opening a patient."""

import json

from napari_rdl.cli import main


def test_opening_is_measured_against_nibabel(brats_folder, capsys):
    assert main(["bench", "opening", str(brats_folder), "--repeats", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["images"] == 4
    assert min(found["seconds"], found["nibabel_seconds"], found["ratio"], found["cpu_ratio"]) > 0
    assert main(["bench", "opening", str(brats_folder), "--repeats", "1"]) == 0
    assert "of nibabel's" in capsys.readouterr().out
