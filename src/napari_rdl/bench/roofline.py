"""How near encoding comes to what the processor can do, and where the rest of the time goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from napari_rdl.bench.figures import Figure, Figures, figures, timed
from napari_rdl.callbacks import Progress, ignore_progress
from napari_rdl.case import load_case
from napari_rdl.models import load_model
from napari_rdl.segment import SegmentSettings, encode

SHARE_LIMIT = 0.6
"""The least share of the measured convolution peak that encoding is to reach on the CPU."""

_CHANNELS = (32, 64, 128)
_EDGE = 48
_KINDS = {
    "convolutions": ("conv", "mkldnn", "slow_conv"),
    "matrix products": ("mm", "bmm", "addmm", "baddbmm", "matmul", "linear"),
    "normalisation": ("norm", "var_mean", "moments"),
    "copies and casts": ("copy", "cat", "contiguous", "clone", "fill", "zero", "index", "pad", "empty", "to"),
    "resampling": ("upsample", "interpolate", "grid_sample"),
}


def measure_roofline(patient: Path, repeats: int, *, progress: Progress = ignore_progress) -> Figures:
    """Measure the peak of 3 x 3 x 3 convolutions, and what share of it encoding a patient reaches."""
    progress(0, 3, "The processor's peak")
    peaks = {"float32": max(_peak(channels, torch.float32, repeats) for channels in _CHANNELS)}
    if torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        peaks["bf16"] = max(_peak(channels, torch.bfloat16, repeats) for channels in _CHANNELS)
    case, model = load_case(patient), load_model()
    settings = SegmentSettings(device="cpu")

    def work() -> object:
        return encode(case, model, settings=settings)

    progress(1, 3, "Encoding")
    quick = {torch.ops.aten.mkldnn_convolution: _convolution_flops}
    with FlopCounterMode(display=False, custom_mapping=quick) as counter:
        precision = encode(case, model, settings=settings).computation.precision
    flops = counter.get_total_flops()
    seconds = [_seconds(work) for _ in range(repeats)]
    progress(2, 3, "Where the time goes")
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        whole = _seconds(work)
    parts = dict.fromkeys((*_KINDS, "elementwise and the rest"), 0.0)
    for event in profiler.key_averages():
        parts[_kind(event.key)] += event.self_cpu_time_total / 1e6
    reached = flops / median(seconds) / 1e9
    share = reached / peaks.get(precision, peaks["float32"])
    rows = [
        *(
            Figure(what=f"peak of convolutions, {name}", value=peak, unit="GFLOP/s")
            for name, peak in peaks.items()
        ),
        timed("encode", seconds),
        Figure(what="work of an encode", value=flops / 1e9, unit="GFLOP"),
        Figure(what=f"encode reaches ({precision})", value=reached, unit="GFLOP/s"),
        Figure(what="encode, share of the peak", value=share, limit=SHARE_LIMIT, least=True),
        *(
            Figure(what=f"share of encode's time: {kind}", value=taken / whole)
            for kind, taken in parts.items()
        ),
        Figure(what="share of encode's time: outside torch", value=max(0.0, 1 - sum(parts.values()) / whole)),
    ]
    progress(3, 3, "")
    lacking = [] if "bf16" in peaks else ["This processor has no bf16 of its own: float32 alone is measured."]
    gpu = [] if torch.cuda.is_available() else ["No GPU was there; nothing is said of one."]
    return figures(
        "roofline",
        f"napari-rdl bench roofline {patient.name} --repeats {repeats}",
        f"{patient.name}, {torch.get_num_threads()} threads",
        rows,
        [*lacking, *gpu],
    )


def _peak(channels: int, kind: torch.dtype, repeats: int) -> float:
    """Return the GFLOP/s of a convolution without anything around it."""
    layer = torch.nn.Conv3d(channels, channels, 3, padding=1, bias=False).to(kind)
    layer = layer.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    image = torch.randn(1, channels, _EDGE, _EDGE, _EDGE).to(kind)
    image = image.to(memory_format=torch.channels_last_3d)
    with torch.inference_mode():
        layer(image)
        best = min(_seconds(lambda: layer(image)) for _ in range(3 * repeats))
    return 2 * 27 * channels**2 * _EDGE**3 / best / 1e9


def _convolution_flops(
    image: Sequence[int], weight: Sequence[int], *_more: object, out_shape: Sequence[int], **_named: object
) -> int:
    """Count oneDNN's own convolution, which torch's counter does not know."""
    return conv_flop_count(list(image), list(weight), list(out_shape))


def _kind(operation: str) -> str:
    name = operation.removeprefix("aten::").lstrip("_")
    for kind, beginnings in _KINDS.items():
        if any(name.startswith(one) or f"_{one}" in name for one in beginnings):
            return kind
    return "elementwise and the rest"


def _seconds(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started
