"""The pages on speed and reliability are what the figures beside them say."""

from pathlib import Path

import pytest

from napari_rdl.bench.figures import Figure, Figures, figures, timed
from napari_rdl.bench.pages import pages_of
from napari_rdl.cli import main
from napari_rdl.errors import ConfigError

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["speed.md", "reliability.md"])
def test_the_pages_are_made_from_what_is_kept(name):
    assert (DOCS / name).read_text("utf-8") == pages_of(DOCS)[name], "run `napari-rdl bench pages`"


def test_figures_come_back_from_their_file_and_a_target_is_told(tmp_path, capsys):
    rows = [timed("flip", [0.02, 0.03, 0.04, 0.05, 0.06], limit=0.033), Figure(what="share", value=0.5)]
    found = figures("opening", "napari-rdl bench opening", "a patient", rows, ["A note."])
    path = tmp_path / "figures" / "opening.json"
    assert Figures.read(found.write(path)) == found
    for name in ("reliability.csv", "faults.csv"):
        (tmp_path / name).write_bytes((DOCS / name).read_bytes())
    assert main(["bench", "pages", str(tmp_path)]) == 0
    assert "speed.md" in capsys.readouterr().out
    page = (tmp_path / "speed.md").read_text("utf-8")
    assert "| flip | 40 ms | 58 ms | 33 ms | no |" in page
    assert "| share | 0.5 |  |  |  |" in page
    assert "A note." in page
    assert found.machine.processor in page


def test_what_holds_no_figures_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="holds no figures"):
        pages_of(tmp_path)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "x.json").write_text("[1]")
    with pytest.raises(ConfigError, match=r"x\.json"):
        pages_of(tmp_path)
