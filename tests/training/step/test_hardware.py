"""What a run computes with, once it is known where."""

from __future__ import annotations

import pytest
import torch

from napari_rdl.errors import DeviceError
from napari_rdl.training.recipe import load_recipe
from napari_rdl.training.step.hardware import resolve_hardware


def resolved(*changes: str) -> str:
    return resolve_hardware(load_recipe("laptop", ["hardware.device=cpu", *changes])).hardware.precision


@pytest.mark.parametrize(
    ("capable", "expected"),
    [({"amx_bf16": True}, "bf16-mixed"), ({"avx512_bf16": True}, "bf16-mixed"), ({"avx2": True}, "32-true")],
)
def test_auto_is_short_where_the_processor_multiplies_it(monkeypatch, capable, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capable)
    assert resolved("hardware.precision=auto") == expected


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16-mixed"), (False, "16-mixed")])
def test_auto_on_a_gpu(monkeypatch, native, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    changes = ["hardware.device=cuda", "hardware.precision=auto"]
    assert resolve_hardware(load_recipe("laptop", changes)).hardware.precision == expected
    # Its gradients are changed before they could be scaled back.
    gmd = resolve_hardware(load_recipe("table2/gmd", changes)).hardware.precision
    assert gmd == (expected if native else "32-true")


def test_what_is_named_stays():
    assert resolved("hardware.precision=32-true") == "32-true"
    assert resolved("hardware.precision=bf16-mixed") == "bf16-mixed"
    with pytest.raises(DeviceError, match="needs a GPU"):
        resolved("hardware.precision=16-mixed")
