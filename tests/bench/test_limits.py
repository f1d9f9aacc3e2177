"""The benchmarks of predict's steps, of the processor's peak and of growth measure what they say."""

import json
import sys
from time import sleep

import pytest

from napari_rdl.bench import steps
from napari_rdl.bench.growth import _slope
from napari_rdl.bench.memory import peak_of_process, peak_while
from napari_rdl.bench.roofline import _convolution_flops, _kind
from napari_rdl.cli import main
from napari_rdl.errors import NapariRdlError


def test_a_peak_of_memory_is_seen_though_it_is_given_back():
    def work():
        held = bytearray(b"x") * 200_000_000
        sleep(0.1)
        return len(held)

    kept, seconds, megabytes = peak_while(work)
    assert kept == 200_000_000
    assert seconds > 0.1
    assert megabytes > 100


def test_another_process_is_measured_and_its_failure_is_told():
    seconds, said, megabytes = peak_of_process(
        [sys.executable, "-c", "import time; b = bytes(10**8) + b'x'; time.sleep(0.1); print(len(b))"]
    )
    assert (seconds > 0, said.strip(), megabytes > 50) == (True, "100000001", True)
    with pytest.raises(NapariRdlError, match="failed: ValueError: no"):
        peak_of_process([sys.executable, "-c", "raise ValueError('no')"])


def test_work_is_counted_as_two_operations_a_multiplication():
    image, weight, out = (1, 4, 8, 8, 8), (6, 4, 3, 3, 3), (1, 6, 8, 8, 8)
    assert _convolution_flops(image, weight, None, out_shape=out) == 2 * 6 * 4 * 27 * 8**3


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("aten::mkldnn_convolution", "convolutions"),
        ("aten::native_group_norm", "normalisation"),
        ("aten::baddbmm", "matrix products"),
        ("aten::leaky_relu_", "elementwise and the rest"),
        ("aten::copy_", "copies and casts"),
        ("aten::upsample_trilinear3d", "resampling"),
    ],
)
def test_operations_are_told_apart(operation, kind):
    assert _kind(operation) == kind


def test_the_exponent_is_that_of_a_power():
    points = [(count, 3.0 * count, 2.0 * count**2) for count in (1, 2, 4)]
    assert _slope(points, 1) == pytest.approx(1)
    assert _slope(points, 2) == pytest.approx(2)


def test_predict_is_taken_apart(brats_folder, tmp_path, capsys, monkeypatch):
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(steps, "_run", lambda command: (0.5, ""))
    said = json.dumps({"seconds": {"load": 1.0, "encode": 2.0, "combine": 0.1, "save": 0.2}})
    monkeypatch.setattr(steps, "peak_of_process", lambda command: (4.0, said, 900.0))
    monkeypatch.setattr(steps, "_alone", lambda patient, repeats: ([1.0], [2.0]))
    out = tmp_path / "steps.json"
    assert main(["bench", "steps", str(brats_folder), "--repeats", "1", "--out", str(out), "--json"]) == 0
    rows = {row["what"]: row["value"] for row in json.loads(capsys.readouterr().out)["rows"]}
    assert rows == {row["what"]: row["value"] for row in json.loads(out.read_text())["rows"]}
    assert rows["`predict`: encode"] == 2.0
    assert rows["`predict`: all else (starts, ends)"] == pytest.approx(700)
    assert rows["`predict` against load and encode alone"] == pytest.approx(4 / 3)
    assert rows["the network is there, against load and encode alone"] == pytest.approx(0.5 / 3)
    assert rows["`predict`, peak memory"] == 900
