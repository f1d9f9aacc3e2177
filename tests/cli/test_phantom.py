"""``napari-rdl phantom``: made patients as folders, and their sheet."""

from __future__ import annotations


def test_phantoms_are_written_as_brats_folders_and_are_the_same_again(shell, tmp_path):
    words = ("--count", "2", "--seed", "7", "--spacing", "4")
    for folder in ("first", "again"):
        code, out, _ = shell("phantom", *words, "--out", tmp_path / folder)
        assert code == 0
        assert len(out.split()) == 2
    first = sorted(path for path in (tmp_path / "first").rglob("*.nii.gz"))
    assert len(first) == 10
    for path in first:
        again = tmp_path / "again" / path.relative_to(tmp_path / "first")
        assert path.read_bytes() == again.read_bytes()
    code, _, _ = shell("check", tmp_path / "first")
    assert code == 0


def test_each_type_in_turn_is_drawn_on_one_sheet(shell, tmp_path, monkeypatch):
    from napari_rdl import phantom

    made, one = [], phantom.make_phantom(7, spacing=4.0, tumour="none")
    monkeypatch.setattr(phantom, "make_phantom", lambda seed, **more: made.append(more["tumour"]) or one)
    monkeypatch.setattr(phantom, "write_phantom", lambda patient, out: out)
    words = ("--count", "11", "--tumour", "each", "--sheet", tmp_path / "sheet.png")
    code, _, _ = shell("phantom", *words, "--out", tmp_path / "out")
    assert code == 0
    assert made == [*phantom.TUMOUR_TYPES, phantom.TUMOUR_TYPES[0]]
    assert (tmp_path / "sheet.png").stat().st_size > 0
