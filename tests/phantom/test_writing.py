"""Synthetic patients as BraTS folders."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_rdl.errors import OutputError
from napari_rdl.phantom import (
    Phantom,
    make_phantom,
    sample_patient_folder,
    save_sheet,
    write_phantom,
    writing,
)
from napari_rdl.phantom.patient import BRATS_SHAPE


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(9, spacing=3.0, tumour="ring")


@pytest.fixture
def at_one_mm(phantom: Phantom) -> Phantom:
    """The small patient as if its voxels were 1 mm: the writer's grid without the work."""
    corner = [(size - count) // 2 for size, count in zip(BRATS_SHAPE, phantom.classes.shape, strict=True)]
    affine = np.eye(4)
    affine[:3, 3] = np.array([-239.0, 0, 0]) + corner
    return Phantom("Tiny", 9, 1.0, phantom.images, phantom.classes, affine, phantom.record)


def test_brats_folder(at_one_mm: Phantom, tmp_path: Path) -> None:
    folder = write_phantom(at_one_mm, tmp_path)
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        ["Tiny_phantom.json", *(f"Tiny_{s}.nii.gz" for s in ("t1", "t1ce", "t2", "flair", "seg"))]
    )
    expected = np.diag([-1.0, -1.0, 1.0, 1.0])
    expected[:3, 3] = (0, 239, 0)
    for suffix in ("t1", "t1ce", "t2", "flair", "seg"):
        image = nib.load(folder / f"Tiny_{suffix}.nii.gz")
        assert image.shape == BRATS_SHAPE
        np.testing.assert_array_equal(image.affine, expected)
        assert nib.aff2axcodes(image.affine) == ("L", "P", "S")
    t1c = nib.load(folder / "Tiny_t1ce.nii.gz")
    assert t1c.get_data_dtype() == np.int16
    labels = np.asarray(nib.load(folder / "Tiny_seg.nii.gz").dataobj)
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) <= {0, 1, 2, 4}
    assert json.loads((folder / "Tiny_phantom.json").read_text())["type"] == "ring"


def test_world_positions_are_kept(at_one_mm: Phantom, tmp_path: Path) -> None:
    folder = write_phantom(at_one_mm, tmp_path)
    image = nib.load(folder / "Tiny_flair.nii.gz")
    back = nib.as_closest_canonical(image)
    start = np.linalg.inv(back.affine) @ at_one_mm.affine @ [0, 0, 0, 1]
    box = tuple(slice(int(s), int(s) + n) for s, n in zip(start[:3], at_one_mm.classes.shape, strict=True))
    np.testing.assert_array_equal(np.asarray(back.dataobj)[box], at_one_mm.images["FLAIR"])


def test_written_twice_is_the_same_bytes(at_one_mm: Phantom, tmp_path: Path) -> None:
    one, two = (write_phantom(at_one_mm, tmp_path / name) for name in ("a", "b"))
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes()
    again = write_phantom(at_one_mm, tmp_path / "a")
    assert sorted(p.name for p in again.parent.iterdir()) == ["Tiny"]


def test_coarse_patient_is_written_on_a_coarse_grid(phantom: Phantom, tmp_path: Path) -> None:
    image = nib.load(write_phantom(phantom, tmp_path) / f"{phantom.name}_t2.nii.gz")
    assert image.shape == (80, 80, 52)
    assert image.header.get_zooms() == (3.0, 3.0, 3.0)


def test_unwritable_folder_is_said(at_one_mm: Phantom, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        write_phantom(at_one_mm, tmp_path / "file")


def test_sample_patient_is_made_once(
    at_one_mm: Phantom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def quick(seed: int, **options: object) -> Phantom:
        made.append((seed, options))
        return at_one_mm

    monkeypatch.setattr(writing, "user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.setattr(writing, "make_phantom", quick)
    steps: list[tuple[int, int]] = []
    folder = sample_patient_folder(lambda done, total, message: steps.append((done, total)))
    assert folder.name == "Sample_patient"
    assert (folder / "Sample_patient_t1ce.nii.gz").is_file()
    assert steps[-1] == (2, 2)
    assert sample_patient_folder() == folder
    assert made == [(writing.SAMPLE_SEED, {"spacing": 1.0, "tumour": writing.SAMPLE_TYPE})]


def test_sheet_has_a_row_for_each_patient(phantom: Phantom, tmp_path: Path) -> None:
    from matplotlib.image import imread

    one = imread(save_sheet([phantom], tmp_path / "one.png"))
    two = imread(save_sheet([phantom, phantom], tmp_path / "two.png"))
    assert two.shape[0] == pytest.approx(2 * one.shape[0], rel=0.02)
    assert one[..., :3].std() > 0.05


def test_sheet_with_patients_side_by_side(phantom: Phantom, tmp_path: Path) -> None:
    from matplotlib.image import imread

    one = imread(save_sheet([phantom], tmp_path / "one.png"))
    three = imread(save_sheet([phantom] * 3, tmp_path / "three.png", across=2))
    assert [size / unit for size, unit in zip(three.shape[:2], one.shape[:2], strict=True)] == pytest.approx(
        [2, 2], rel=0.02
    )
    # The fourth place stays empty.
    height, width = three.shape[0] // 2, three.shape[1] // 2
    assert three[height + height // 4 :, width:, :3].max() == 0
    assert three[height + height // 4 :, :width, :3].max() > 0.5
