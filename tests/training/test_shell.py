"""The commands: what they print, how they end, and that they load nothing before they must."""

import json
import subprocess
import sys

import pytest

from napari_rdl.training.__main__ import main

QUICK = ["--set", "optimizer.max_steps=2", "--set", "validation.every=2"]


@pytest.fixture
def run(monkeypatch, capsys, settings):
    def call(*words, tiny=True):
        changes = [word for change in settings if tiny for word in ("--set", change)]
        monkeypatch.setattr(sys, "argv", ["train", *changes, *words])
        code = main()
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_train_and_resume(run, tmp_path):
    code, out, _ = run(*QUICK, "--out", str(tmp_path / "run"))
    assert code == 0
    assert out.startswith("Finished at step 2 of 2; best mean Dice 0.")
    code, out, _ = run("--resume", str(tmp_path / "run"), "--json", tiny=False)
    assert code == 0
    assert json.loads(out)["step"] == 2


def test_dry_run(run, tmp_path):
    code, out, _ = run("--dry-run", "--json")
    assert code == 0
    report = json.loads(out)
    assert report["steps"] == 5
    assert report["hours"] > 0
    code, out, _ = run("--dry-run")
    assert "2 training and 2 validation patients" in out


def test_what_a_refused_patient_names_can_be_given(run):
    """Sentences about a mask's labels or several grids speak of --labels and --resample."""
    code, _, err = run("--dry-run", "--labels", "no such convention")
    assert (code, "no such convention" in err) == (2, True)
    assert run("--dry-run", "--labels", "brats2018", "--resample")[0] == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--out", "x"], "give --data"),
        (["--data", "phantom:2"], "Give --out"),
        (["--resume", "x", "--set", "optimizer.lr=1"], "--resume goes on with the run's own configuration"),
        (["--data", "phantom:2", "--out", "x", "--recipe", "nothing"], "no recipe 'nothing'"),
        (["--data", "phantom:2", "--out", "x", "--set", "optimizer.rate=1"], "no setting 'optimizer.rate'"),
        (["--data", "/nowhere", "--out", "x"], "no folder /nowhere"),
        (["--colour"], "--colour"),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(run, words, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*words, tiny=False)
    assert code == 2
    assert sentence in err
    assert err.count("\n") == 1
    assert not out
    assert not list(tmp_path.iterdir())


def test_help_loads_no_torch():
    program = "import sys, napari_rdl.cli.train; sys.exit('torch' in sys.modules or 'monai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
