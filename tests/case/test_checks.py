import dataclasses
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from napari_rdl.boxes import bounding_box
from napari_rdl.case import Case, Finding, Grid, brain_mask, case_from_arrays, check_case, load_case
from napari_rdl.phantom import make_phantom
from tests.case.conftest import head

GOOD = ["BraTS2021_00006", "BraTS-GLI-00027-000", "brats_2013_pat0001_1"]


@pytest.fixture(scope="module")
def synthetic() -> Case:
    images, affine = head()
    return case_from_arrays(images, affine, name="head")


@pytest.fixture(scope="module", params=GOOD)
def real_at_1mm(request: pytest.FixtureRequest, real_data: Path) -> Case:
    return load_case(real_data / request.param)


def every(case: Case, step: int) -> Case:
    """Return a patient of 1 mm at `step` mm and without most of the air, to keep the many checks quick."""
    images = {name: image[::step, ::step, ::step] for name, image in case.images.items()}
    box = bounding_box(np.logical_or.reduce([brain_mask(image) for image in images.values()]), margin=4)
    assert box is not None
    images = {name: np.ascontiguousarray(image[box]) for name, image in images.items()}
    affine = case.grid.affine @ np.diag([step, step, step, 1.0])
    affine[:3, 3] += affine[:3, :3] @ [edge.start for edge in box]
    grid = Grid(images[case.modalities[0]].shape, affine)
    return dataclasses.replace(case, images=images, grid=grid, mask_file=None)


@pytest.fixture(scope="module")
def real(real_at_1mm: Case) -> Case:
    return every(real_at_1mm, 3)


@pytest.fixture(scope="module")
def real_at_2mm(real_at_1mm: Case) -> Case:
    """The left half of a head differs from its right in what is small."""
    return every(real_at_1mm, 2)


def warnings(case: Case) -> list[Finding]:
    return [finding for finding in check_case(case) if finding.level != "note"]


def changed(case: Case, **images: np.ndarray) -> Case:
    return dataclasses.replace(case, images={**case.images, **images}, mask_file=None)


def said(case: Case) -> str:
    return " ".join(finding.message for finding in warnings(case))


def test_nothing_is_wrong_with_a_good_head(synthetic: Case) -> None:
    assert check_case(synthetic) == []


@pytest.mark.parametrize("spacing", ["1 mm", "3 mm"])
def test_nothing_is_wrong_with_real_patients(real_at_1mm: Case, real: Case, spacing: str) -> None:
    case = real if spacing == "3 mm" else real_at_1mm
    notes = [finding.message for finding in check_case(case)]
    assert all("was normalised before" in note for note in notes)
    assert bool(notes) == (case.name == "brats_2013_pat0001_1")


@pytest.mark.parametrize("pair", list(combinations(("T1", "T1c", "T2", "FLAIR"), 2)), ids="-".join)
def test_exchanged_modalities(synthetic: Case, pair: tuple[str, str]) -> None:
    first, second = pair
    swapped = changed(synthetic, **{first: synthetic.images[second], second: synthetic.images[first]})
    assert [finding.message for finding in warnings(swapped)] == [
        f"{first} and {second} look exchanged: check which file is which modality."
    ]


def test_exchanged_modalities_of_real_patients(real: Case) -> None:
    for first, second in combinations(real.modalities, 2):
        swapped = changed(real, **{first: real.images[second], second: real.images[first]})
        message = said(swapped)
        assert f"{first} (" in message
        assert f"{second} (" in message
        assert "look exchanged" in message


def test_one_misnamed_image_alone(synthetic: Case) -> None:
    alone = dataclasses.replace(synthetic, images={"T1": synthetic.images["T2"]})
    assert "T1 looks T2- or FLAIR-weighted" in said(alone)
    assert warnings(dataclasses.replace(synthetic, images={"T2": synthetic.images["T2"]})) == []


@pytest.mark.parametrize("modality", ["T1", "FLAIR"])
def test_a_shifted_modality_is_named_with_the_distance(synthetic: Case, modality: str) -> None:
    moved = changed(synthetic, **{modality: np.roll(synthetic.images[modality], 6, 1)})
    findings = [finding for finding in warnings(moved) if "12 mm off" in finding.message]
    assert [finding.modality for finding in findings] == [modality]


def test_a_shift_under_a_common_mask_is_found(synthetic: Case) -> None:
    brain = synthetic.images["T1"] != 0
    moved = changed(synthetic, T2=np.where(brain, np.roll(synthetic.images["T2"], 4, 0), 0))
    assert [finding.modality for finding in warnings(moved)] == ["T2"]


def test_shifted_modalities_of_real_patients(real: Case) -> None:
    for modality in real.modalities:
        moved = changed(real, **{modality: np.roll(real.images[modality], 4, 1)})
        findings = [finding for finding in warnings(moved) if "12 mm off" in finding.message]
        assert len(findings) == 1
        # Of two images alone, either may be the one that is off.
        assert findings[0].modality == modality or len(real.modalities) == 2


@pytest.mark.parametrize(("axis", "words"), [(0, "mirrored (left-right)"), (2, "mirrored (upside down)")])
def test_a_mirrored_modality(real_at_2mm: Case, axis: int, words: str) -> None:
    first = real_at_2mm.modalities[0]
    assert words in said(changed(real_at_2mm, **{first: np.flip(real_at_2mm.images[first], axis)}))


def test_another_patients_image(real_data: Path) -> None:
    one, two = load_case(real_data / GOOD[0]), load_case(real_data / GOOD[1], modalities=["T2"])
    assert "T2 (BraTS2021_00006_t2.nii.gz) shares the grid but looks of another anatomy" in said(
        changed(one, T2=two.images["T2"])
    )


def test_one_file_given_twice(synthetic: Case) -> None:
    assert "T1 and T1c are the same image" in said(changed(synthetic, T1c=synthetic.images["T1"].copy()))


def test_a_mask_as_a_modality_is_an_error(synthetic: Case) -> None:
    findings = check_case(changed(synthetic, T2=(synthetic.images["T2"] > 500).astype(np.float32)))
    assert [(finding.level, finding.modality) for finding in findings] == [("error", "T2")]


def test_a_head_with_its_skull(synthetic: Case) -> None:
    brain = np.pad(synthetic.images["T1"], 10)
    axes = np.meshgrid(*[(np.arange(size) - size / 2) * 2.0 for size in brain.shape], indexing="ij")
    scalp = np.sqrt(sum(axis**2 for axis in axes)) < 88
    noise = np.random.default_rng(0).rayleigh(8, brain.shape)
    skull = np.where(brain > 0, brain, np.where(scalp, 600.0, 0.0))
    assert "litres, more than a brain has: strip the skull" in said(
        case_from_arrays({"T1": skull}, np.diag([2.0] * 3 + [1]), name="x")
    )
    assert "T1 is not empty around the brain: strip the skull" in said(
        case_from_arrays({"T1": skull + noise}, np.diag([2.0] * 3 + [1]), name="x")
    )


@pytest.mark.parametrize(
    ("spacing", "words"),
    [
        ((1, 1, 5.5), "are thick"),
        ((0.15, 0.15, 0.15), "check the units"),
        ((20, 20, 20), "check the units"),
    ],
)
def test_spacing(spacing: tuple[float, ...], words: str) -> None:
    rng = np.random.default_rng(0)
    image = np.pad(rng.uniform(1, 9, (20, 20, 20)), 4)
    assert words in said(case_from_arrays({"T1": image}, np.diag([*spacing, 1.0]), name="x"))


def test_already_normalised_images_are_noted(synthetic: Case) -> None:
    image = synthetic.images["T1"]
    scored = ((image - image.mean()) / image.std()).astype(np.float32)
    case = dataclasses.replace(synthetic, images={"T1": scored})
    assert [(finding.level, finding.modality) for finding in check_case(case)] == [("note", "T1")]
    assert "normalised before" in check_case(case)[0].message


def test_what_was_noted_on_reading_is_said(synthetic: Case) -> None:
    image = {"T1": synthetic.images["T1"]}
    noted = dataclasses.replace(synthetic, images=image, notes=("Something was mended.",))
    assert check_case(noted) == [Finding("note", "Something was mended.")]


def test_an_unusable_mask_is_a_warning(real_data: Path) -> None:
    case = load_case(real_data / "BraTS2021_00006", labels="brats2023", modalities=["T1"])
    assert [finding.level for finding in check_case(case)] == ["warning"]
    assert "the label 4" in said(case)


def test_a_made_unusable_mask_is_a_warning(brats_folder: Path) -> None:
    case = load_case(brats_folder, labels="brats2023", modalities=["T1"])
    assert [finding.level for finding in check_case(case)] == ["warning"]
    assert "the label 4" in said(case)


def made_patient(seed: int, spacing: float) -> Case:
    phantom = make_phantom(seed, spacing=spacing)
    images = {name: image.astype(np.float32) for name, image in phantom.images.items()}
    return case_from_arrays(images, phantom.affine, name=phantom.name)


def test_a_made_modality_mirrored_left_to_right() -> None:
    case = made_patient(1, 2.0)
    assert warnings(case) == []
    assert "T1 shares the grid but looks mirrored (left-right)" in said(
        changed(case, T1=np.flip(case.images["T1"], 0))
    )


def test_another_made_patients_image() -> None:
    case, other = made_patient(11, 3.0), made_patient(23, 3.0).images["T2"]
    shape = case.images["T2"].shape
    padded = np.pad(other, 20)
    corner = [(length - edge) // 2 for length, edge in zip(padded.shape, shape, strict=True)]
    middle = padded[tuple(slice(start, start + edge) for start, edge in zip(corner, shape, strict=True))]
    assert "T2 shares the grid but looks of another anatomy" in said(changed(case, T2=middle))


def test_a_made_mirrored_modality(synthetic: Case) -> None:
    # The made head is alike on both sides.
    assert "mirrored (upside down)" in said(changed(synthetic, T1=np.flip(synthetic.images["T1"], 2)))


def test_small_volumes_are_not_judged(brats_folder: Path) -> None:
    assert check_case(load_case(brats_folder)) == []
