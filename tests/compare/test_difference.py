"""Difference maps part the two label maps; other labels come onto the case's grid or are refused."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_rdl.compare import (
    BOTH,
    NEITHER,
    ONLY_A,
    ONLY_B,
    PARTS,
    difference,
    difference_volumes,
    labels_of_checkpoint,
    read_labels,
)
from napari_rdl.compare.difference import members_of
from napari_rdl.errors import CaseError
from tests.compare.conftest import QUICK

LABELS = arrays(np.uint8, (4, 3, 5), elements=st.integers(0, 3))


@given(LABELS, LABELS, st.sampled_from(PARTS))
def test_the_map_parts_the_two(one, other, part):
    here, there = np.isin(one, members_of(part)), np.isin(other, members_of(part))
    found = difference(one, other, part)
    assert np.array_equal(found == ONLY_A, here & ~there)
    assert np.array_equal(found == ONLY_B, there & ~here)
    assert np.array_equal(found == BOTH, here & there)
    assert np.array_equal(found == NEITHER, ~here & ~there)
    volumes = difference_volumes(found, 0.5)
    assert volumes.only_a + volumes.both == here.sum() * 0.5
    assert volumes.only_b + volumes.both == there.sum() * 0.5
    total = here.sum() + there.sum()
    assert volumes.dice == (2 * (here & there).sum() / total if total else None)


def test_parts_are_the_regions_and_the_other_classes():
    assert PARTS == ("WT", "TC", "ET", "NCR", "ED")
    labels = np.zeros((2, 2, 2), np.uint8)
    with pytest.raises(ValueError, match="neither a region nor a class"):
        difference(labels, labels, "CSF")
    with pytest.raises(ValueError, match="cannot be compared"):
        difference(labels, np.zeros((2, 2, 3), np.uint8))


def test_another_tools_file_comes_onto_the_cases_grid(case, brats_folder, tmp_path):
    expert = brats_folder / f"{brats_folder.name}_seg.nii.gz"
    assert np.array_equal(read_labels(expert, case), case.truth())
    image = nib.load(expert)
    values = np.asarray(image.dataobj)
    three = np.where(values == 4, 3, values).astype(np.uint8)
    # Stored in another axis order, with ET as 3: the same labels nevertheless.
    path = tmp_path / "other_tool.nii.gz"
    nib.save(nib.as_closest_canonical(nib.Nifti1Image(three, image.affine)), path)
    assert np.array_equal(read_labels(path, case, "brats2023"), case.truth())
    with pytest.raises(CaseError, match=r"other_tool.*holds the label 3"):
        read_labels(path, case)
    with pytest.raises(CaseError, match="no label convention"):
        read_labels(path, case, "mine")


def test_another_grid_is_refused(case, tmp_path):
    path = tmp_path / "elsewhere.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros(case.grid.shape, np.uint8), np.eye(4) * 2), path)
    with pytest.raises(CaseError, match=r"elsewhere.*is not on the grid of BraTS2021_90001 \(spacing"):
        read_labels(path, case)


def test_another_checkpoint(case, representations, tiny_checkpoint):
    labels = labels_of_checkpoint(case, tiny_checkpoint, ("T1", "T2"), settings=QUICK)
    assert np.array_equal(labels, representations.labels(("T1", "T2")))
