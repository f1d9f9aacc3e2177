"""A patient of each type, at a coarse spacing."""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

from napari_rdl.brats import MODALITIES
from napari_rdl.phantom import TUMOUR_TYPES, Phantom, PhantomSettings, held_out_settings, make_phantom
from napari_rdl.phantom.settings import (
    AnatomySettings,
    DistractorSettings,
    ScannerSettings,
    TumourSettings,
)

SPACING = 4.0
WITH_TUMOUR = [kind for kind in TUMOUR_TYPES if kind != "none"]

CLEAN = PhantomSettings(
    tumour=TumourSettings(volume_ml=(30, 90), haemorrhage=0),
    scanner=ScannerSettings(
        bias=(0, 0),
        shading=(0, 0),
        noise=(0.001, 0.002),
        ghost=0,
        shifted=0,
        gamma=(1, 1),
        blur_mm=(0.1, 0.2),
        thick=dict.fromkeys(MODALITIES, 0.0),
    ),
)
"""Patients whose contrast shows, since no scanner blurs or shades them."""


@lru_cache(maxsize=32)
def patient(kind: str, seed: int = 5) -> Phantom:
    return make_phantom(seed, spacing=SPACING, settings=CLEAN, tumour=kind)


@pytest.mark.parametrize("kind", TUMOUR_TYPES)
def test_images_are_like_files(kind: str) -> None:
    phantom = patient(kind)
    assert tuple(phantom.images) == MODALITIES
    background = phantom.images["T1"] == 0
    for image in phantom.images.values():
        assert image.dtype == np.int16
        assert image.shape == phantom.classes.shape
        assert image.min() == 0
        assert image.max() > 50
        np.testing.assert_array_equal(image == 0, background)
    assert phantom.classes.dtype == np.uint8
    assert not phantom.classes[background].any()
    # The box is the brain's and a margin.
    for axis in range(3):
        found = np.nonzero((~background).any(tuple(a for a in range(3) if a != axis)))[0]
        assert found[0] <= 2
        assert background.shape[axis] - 1 - found[-1] <= 2
    brain_ml = (~background).sum() * SPACING**3 / 1000
    assert 700 < brain_ml < 2200


@pytest.mark.parametrize("kind", WITH_TUMOUR)
def test_volume_is_as_wanted(kind: str) -> None:
    phantom = patient(kind)
    wanted = phantom.record["tumour"]["wanted_ml"]
    assert 15 <= wanted <= 90
    whole = (phantom.classes > 0).sum() * SPACING**3 / 1000
    assert whole == pytest.approx(wanted, rel=0.05)
    assert sum(phantom.record["volumes_ml"].values()) == pytest.approx(whole, abs=1e-2)


def test_none_has_no_label() -> None:
    phantom = patient("none")
    assert phantom.record["type"] == "none"
    assert phantom.record["tumour"] is None
    assert not phantom.classes.any()


@pytest.mark.parametrize("kind", ["ring", "solid", "patchy", "multifocal", "butterfly", "no_oedema"])
def test_enhancement_is_bright_on_t1c_alone(kind: str) -> None:
    phantom = patient(kind)
    enhancing = phantom.classes == 3
    brain = phantom.images["T1"] > 0
    assert enhancing.sum() > 10

    def over_brain(modality: str) -> float:
        image = phantom.images[modality].astype(float)
        return float(np.median(image[enhancing]) / np.median(image[brain]))

    assert over_brain("T1c") > 1.1
    assert over_brain("T1c") > 1.1 * over_brain("T1")


@pytest.mark.parametrize("kind", ["ring", "patchy", "low_grade", "multifocal", "butterfly"])
def test_oedema_is_bright_on_flair_and_not_on_t1(kind: str) -> None:
    phantom = patient(kind)
    oedema = ndimage.binary_erosion(phantom.classes > 0) & (phantom.classes == 2)
    oedema = oedema if oedema.sum() > 20 else phantom.classes == 2
    normal = (phantom.images["T1"] > 0) & (phantom.classes == 0)

    def over_normal(modality: str) -> float:
        image = phantom.images[modality].astype(float)
        return float(np.median(image[oedema]) / np.median(image[normal]))

    assert over_normal("FLAIR") > 1.05
    assert over_normal("T1") < 1.08


def test_ring_encloses_necrosis() -> None:
    phantom = make_phantom(
        11,
        spacing=2.0,
        tumour="ring",
        settings=CLEAN.model_copy(
            update={"tumour": TumourSettings(volume_ml=(60, 90), broken=0, haemorrhage=0)}
        ),
    )
    necrosis, enhancing = phantom.classes == 1, phantom.classes == 3
    around = ndimage.binary_dilation(necrosis, iterations=2) & ~necrosis
    assert necrosis.any()
    assert enhancing[around].mean() > 0.6


def test_types_without_enhancement_have_no_large_one() -> None:
    assert patient("oedema_only").record["volumes_ml"]["ET"] == 0
    assert patient("oedema_only").record["volumes_ml"]["NCR"] == 0
    low_grade = patient("low_grade").record["volumes_ml"]
    assert low_grade["ET"] < 0.2 * low_grade["NCR"]


def test_butterfly_is_on_both_sides() -> None:
    phantom = patient("butterfly")
    centres = np.array(phantom.record["tumour"]["centres_mm"])
    assert centres[0, 0] < centres[1, 0] < centres[2, 0]
    assert centres[0, 0] < -4
    assert centres[2, 0] > 4


PLAIN = CLEAN.model_copy(
    update={
        "anatomy": AnatomySettings(leak=0, eye=0, cut=0),
        "distractors": DistractorSettings(
            vessels=(0, 0), dura=(0, 0), choroid=(0, 0), caps=(0, 0), wmh=0, lacunes=0, pulsation=(0, 0)
        ),
    }
)
"""A healthy head without anything to be mistaken for tumour, and a mask without errors."""


@lru_cache(maxsize=32)
def healthy(part: str = "", **changes: object) -> Phantom:
    """Return the plain patient, or with one thing more."""
    settings = PLAIN
    if part:
        changed = getattr(PLAIN, part).model_copy(update=changes)
        settings = PLAIN.model_copy(update={part: changed})
    return make_phantom(5, spacing=SPACING, settings=settings, tumour="none")


@pytest.mark.parametrize(
    ("what", "amount", "bright_on", "not_on"),
    [
        ("vessels", (1, 1), "T1c", "T1"),
        ("dura", (0.8, 0.8), "T1c", "T1"),
        ("choroid", (1, 1), "T1c", "T2"),
        ("caps", (0.9, 0.9), "FLAIR", "T1"),
        ("wmh", 1, "FLAIR", "T1"),
        ("lacunes", 1, "T2", "T1"),
        ("pulsation", (0.5, 0.5), "FLAIR", "T2"),
    ],
)
def test_what_is_bright_and_no_tumour(what: str, amount: object, bright_on: str, not_on: str) -> None:
    phantom = healthy("distractors", **{what: amount})

    def brighter(modality: str) -> float:
        with_it, without = (p.images[modality].astype(float) for p in (phantom, healthy()))
        change = with_it / np.median(with_it[with_it > 0]) - without / np.median(without[without > 0])
        return float((change > 0.15).sum() * SPACING**3 / 1000)

    assert brighter(bright_on) > 1.35
    assert brighter(not_on) < 0.5 * brighter(bright_on)
    assert not phantom.classes.any()


@pytest.mark.parametrize(
    ("error", "amount", "larger"),
    [("leak", 1, True), ("eye", 1, True), ("cut", 1, False), ("erosion", (4.5, 4.5), False)],
)
def test_errors_of_the_brain_mask(error: str, amount: object, larger: bool) -> None:
    found, plain = ((p.images["T1"] > 0).sum() for p in (healthy("anatomy", **{error: amount}), healthy()))
    assert (found > plain) == larger
    assert found != plain


def test_an_eye_is_apart_from_the_brain() -> None:
    pieces, count = ndimage.label(healthy("anatomy", eye=1).images["T1"] > 0)
    assert count == 2
    brain, eye = (np.array(ndimage.center_of_mass(pieces == index)) for index in (1, 2))
    brain, eye = (brain, eye) if (pieces == 1).sum() > (pieces == 2).sum() else (eye, brain)
    assert eye[1] > brain[1] + 15  # in front of its middle
    assert eye[2] < brain[2]  # and below


@pytest.mark.parametrize(("age", "amount"), [("ventricles", (6, 6)), ("atrophy", (2.2, 2.2))])
def test_age_widens_fluid(age: str, amount: object) -> None:
    def fluid(phantom: Phantom) -> int:
        image = phantom.images["T2"]
        return int((image > 1.8 * np.median(image[image > 0])).sum())

    assert fluid(healthy("anatomy", **{age: amount})) > fluid(healthy("anatomy", **{age: (-0.7, -0.7)}))


@pytest.mark.parametrize(
    "changes",
    [
        {"bias": (0.4, 0.4)},
        {"noise": (0.05, 0.05)},
        {"blur_mm": (3.0, 3.0)},
        {"ghost": 1},
        {"shifted": 1},
        {"gamma": (1.2, 1.2)},
        {"thick": dict.fromkeys(MODALITIES, 1.0), "thickness_mm": (6.5, 6.5)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_artefact_changes_images_and_not_the_truth(changes: dict[str, object]) -> None:
    settings = CLEAN.model_copy(update={"scanner": CLEAN.scanner.model_copy(update=changes)})
    other = make_phantom(5, spacing=SPACING, settings=settings, tumour="ring")
    for modality in MODALITIES:
        assert (other.images[modality] != patient("ring").images[modality]).mean() > 0.01
    np.testing.assert_array_equal(other.classes, patient("ring").classes)


def test_same_seed_same_bits() -> None:
    one, two = (make_phantom(21, spacing=SPACING) for _ in range(2))
    for modality in MODALITIES:
        np.testing.assert_array_equal(one.images[modality], two.images[modality])
    np.testing.assert_array_equal(one.classes, two.classes)
    assert one.record == two.record


def test_other_seed_other_patient() -> None:
    one, two = (make_phantom(seed, spacing=SPACING, tumour="solid") for seed in (1, 2))
    assert one.classes.shape != two.classes.shape or not np.array_equal(one.classes, two.classes)


def test_a_stage_leaves_the_others_alone() -> None:
    """Another scanner sees the same tumour in the same head."""
    noisy = CLEAN.model_copy(update={"scanner": ScannerSettings(noise=(0.05, 0.06))})
    other = make_phantom(5, spacing=SPACING, settings=noisy, tumour="ring")
    np.testing.assert_array_equal(other.classes, patient("ring").classes)
    assert other.record["contrast"] == patient("ring").record["contrast"]
    assert not np.array_equal(other.images["T1"], patient("ring").images["T1"])


def test_spacing_changes_the_grid_not_the_patient() -> None:
    fine, coarse = (make_phantom(5, spacing=s, settings=CLEAN, tumour="solid") for s in (2.0, 3.0))
    assert fine.record["tumour"]["centres_mm"] == coarse.record["tumour"]["centres_mm"]
    for name in ("ED", "ET"):
        assert fine.record["volumes_ml"][name] == pytest.approx(
            coarse.record["volumes_ml"][name], rel=0.3, abs=2
        )
    centre = [
        p.affine[:3, :3] @ np.array(ndimage.center_of_mass(p.classes > 0)) + p.affine[:3, 3]
        for p in (fine, coarse)
    ]
    assert np.abs(centre[0] - centre[1]).max() < 5


def test_about_one_in_ten_has_no_tumour() -> None:
    weights = PhantomSettings().tumour.weights
    assert set(weights) == set(TUMOUR_TYPES)
    assert weights["none"] / sum(weights.values()) == pytest.approx(0.1, abs=0.02)


def test_record_is_json() -> None:
    record = patient("multifocal").record
    assert json.loads(json.dumps(record)) == record


def test_held_out_settings_differ_and_work() -> None:
    settings = held_out_settings()
    assert settings.scanner != PhantomSettings().scanner
    assert make_phantom(3, spacing=4.0, settings=settings).classes.ndim == 3


def test_unknown_type_and_spacing_are_refused() -> None:
    with pytest.raises(ValueError, match="no tumour type"):
        make_phantom(1, spacing=4.0, tumour="meningioma")
    with pytest.raises(ValueError, match="spacing"):
        make_phantom(1, spacing=20)
    with pytest.raises(ValueError, match="lower bound"):
        TumourSettings(volume_ml=(5, 1))
