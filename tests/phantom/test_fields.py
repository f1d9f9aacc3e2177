"""Canvases, random fields, streams and signals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_rdl.phantom.contrast import Sequence, Tissue
from napari_rdl.phantom.fields import Canvas, SmoothField, log_uniform, ramp, random_stream, resize


def test_field_has_unit_variance_and_no_mean() -> None:
    values = SmoothField(np.random.default_rng(0), 9.0).on(Canvas.covering(4.0))
    assert values.mean() == pytest.approx(0, abs=0.05)
    assert values.std() == pytest.approx(1, abs=0.08)


def test_field_is_the_same_at_another_spacing() -> None:
    field = SmoothField(np.random.default_rng(1), 20.0)
    fine = Canvas((-20.0, -30.0, -10.0), (21, 31, 11), 2.0)
    coarse = Canvas((-20.0, -30.0, -10.0), (11, 16, 6), 4.0)
    np.testing.assert_allclose(field.on(fine)[::2, ::2, ::2], field.on(coarse), atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(*[st.integers(3, 9)] * 3),
    origin=st.tuples(*[st.floats(-50, 50)] * 3),
    spacing=st.floats(0.5, 4),
    slope=st.tuples(*[st.floats(-2, 2)] * 3),
)
def test_resize_keeps_linear_functions(
    shape: tuple[int, int, int],
    origin: tuple[float, float, float],
    spacing: float,
    slope: tuple[float, float, float],
) -> None:
    source = Canvas(origin, shape, spacing)
    target = source.cropped([slice(1, n - 1) for n in shape])

    def plane(canvas: Canvas) -> np.ndarray:
        x, y, z = canvas.offsets((0, 0, 0))
        return (slope[0] * x + slope[1] * y + slope[2] * z).astype(np.float32)

    np.testing.assert_allclose(resize(plane(source), source, target), plane(target), atol=2e-2)


def test_streams_depend_on_seed_and_stage() -> None:
    draws = {
        (seed, stage): random_stream(seed, stage).random() for seed in (0, 1) for stage in ("warp", "plan")
    }
    assert len(set(draws.values())) == 4
    assert random_stream(0, "warp").random() == draws[0, "warp"]


def test_ramp_rises_and_falls() -> None:
    values = np.array([0, 1, 2, 3], np.float32)
    np.testing.assert_allclose(ramp(values, 1, 3), [0, 0, 0.5, 1])
    np.testing.assert_allclose(ramp(values, 3, 1), [1, 1, 0.5, 0])


def test_log_uniform_stays_inside() -> None:
    rng = np.random.default_rng(0)
    draws = np.array([log_uniform(rng, (1, 200)) for _ in range(400)])
    assert draws.min() >= 1
    assert draws.max() <= 200
    assert np.median(draws) == pytest.approx(np.sqrt(200), rel=0.35)


WM, GM, CSF = Tissue(0.7, 800, 75), Tissue(0.82, 1300, 95), Tissue(1.0, 4000, 1500)


@pytest.mark.parametrize(
    "sequence",
    [
        Sequence("spin_echo", 500, 12),
        Sequence("mprage", 2200, 3, 1200),
        Sequence("spoiled", 20, 4, flip=25),
    ],
)
def test_t1_weighting(sequence: Sequence) -> None:
    assert sequence.signal(WM) > sequence.signal(GM) > sequence.signal(CSF)
    enhancing = Tissue(0.82, 1400, 110, gd=0.8)
    assert (
        sequence.signal(enhancing.enhanced()) > 1.2 * sequence.signal(WM) > 1.2 * sequence.signal(enhancing)
    )


def test_t2_and_flair_weighting() -> None:
    t2 = Sequence("spin_echo", 5000, 100)
    flair = Sequence("flair", 9000, 120, 2400)
    oedema = WM.watered(0.9, np.random.default_rng(0))
    assert t2.signal(CSF) > t2.signal(oedema) > t2.signal(GM) > t2.signal(WM)
    assert flair.signal(oedema) > flair.signal(GM) > flair.signal(WM) > flair.signal(CSF)
