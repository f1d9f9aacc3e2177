"""Checkpoints of the published methods: tensor for tensor by their names, and nothing in them is run."""

import os

import numpy as np
import pytest
import torch

from napari_rdl.cli import main
from napari_rdl.errors import CheckpointError
from napari_rdl.models import load_model
from napari_rdl.models.importing import PUBLISHED, import_checkpoint
from napari_rdl.models.names import renamed

from ..published import TINY, tiny

KNOWN = {
    "rfnet": (
        "flair_encoder.e1_c1.conv.weight",
        "t1ce_encoder.e4_c3.conv.bias",
        "decoder_fuse.RFM4.modal_fusion.3.weight_layer.2.weight",
        "decoder_fuse.RFM1.region_fusion.fusion_layer.2.conv.weight",
        "decoder_fuse.prm_generator4.prm_layer.1.bias",
        "decoder_sep.d3_out.conv.weight",
    ),
    "mmformer": (
        "t2_encoder.e1_c1.weight",
        "t2_encoder.e5_c3.conv.weight",
        "flair_pos",
        "t1_transformer.cross_attention_list.0.fn.fn.qkv.weight",
        "multimodal_transformer.cross_ffn_list.0.fn.fn.net.3.bias",
        "decoder_fuse.seg_d4.weight",
        "decoder_fuse.RFM5.fusion_layer.1.conv.weight",
    ),
    "m3ae": (
        "limage",
        "unet.conv4d.gn2.weight",
        "unet.ds3.weight",
        "unet.ds_out.0.weight",
        "unet.up4convb.conv1.bias",
    ),
    "gmd": (
        "module.inc.norm2.norm_3.weight",
        "module.down4.double_conv.conv1.module.weight",
        "module.outc.conv.module.bias",
    ),
}
"""Names that the public code gives its tensors, from the commits in docs/methods.md."""


def published_state(method):
    """Return a tiny network's tensors as its authors' code would name them."""
    from importlib import import_module

    network = tiny(method)
    rules = import_module(f"napari_rdl.models.{method}.published").rules(network.config)
    return network, {renamed(name, rules): value for name, value in network.state_dict().items()}


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    """Let the published architectures be narrow ones."""
    for method, config in TINY.items():
        monkeypatch.setattr(
            f"napari_rdl.models.{method}.published.architecture",
            lambda shapes, width=None, config=config: config.model_copy(update={"axes": "LPS"}),
        )


@pytest.mark.parametrize("method", PUBLISHED)
@pytest.mark.parametrize("several_gpus", [False, True])
def test_a_checkpoint_is_taken_tensor_for_tensor(method, several_gpus, tmp_path):
    network, state = published_state(method)
    assert len(state) == len(network.state_dict())
    assert set(KNOWN[method]) <= state.keys()
    if several_gpus:
        state = {f"module.{name}": value for name, value in state.items()}
    content = {"epoch": 7, "state_dict": state, "best_pred": np.float64(0.5), "optim_dict": {"state": {}}}
    torch.save(content, tmp_path / "model_last.pth")
    found, card = import_checkpoint(method, tmp_path / "model_last.pth")
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in found.state_dict().items())
    assert (card.method, card.name, card.spacing) == (method, "model_last", (1.0, 1.0, 1.0))
    assert card.network.axes == "LPS"


def test_the_shell_writes_what_opens(tmp_path, capsys):
    network, state = published_state("gmd")
    torch.save(state, tmp_path / "a.pth")
    out = tmp_path / "gmd.safetensors"
    assert main(["import", "gmd", str(tmp_path / "a.pth"), "--out", str(out), "--name", "theirs"]) == 0
    model = load_model(out)
    assert (model.name, model.card.method, model.card.normalization) == ("theirs", "gmd", "minmax")
    assert torch.equal(model.network.head.weight, network.head.weight)
    assert "GMD" in capsys.readouterr().out


class Code:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def _bad(tmp_path):
    _, state = published_state("rfnet")
    first = next(iter(state))
    wide = state | {first: torch.zeros(8, *state[first].shape[1:])}
    classes = state | {"decoder_fuse.seg_layer.bias": torch.zeros(5)}
    return {
        "nothing": (None, "There is no checkpoint"),
        "text": ("text", "cannot be read as a PyTorch checkpoint"),
        "code": ({"state_dict": state, "extra": Code(tmp_path / "ran")}, "could run code: it was not opened"),
        "number": (3, "holds no tensors by name"),
        "empty": ({"epoch": 3}, "holds no tensors by name"),
        "missing": ({k: v for k, v in state.items() if k != first}, rf"lacks 1 tensors \({first}\)"),
        "left over": (
            state | {"head.weight": torch.zeros(1)},
            r"has 1 tensors \(head.weight\) that it does not",
        ),
        "other": (published_state("gmd")[1], "is no checkpoint of RFNet .*: it lacks .* and has"),
        "wide": (wide, f"another width or number of classes than RFNet .*{first}"),
        "classes": (classes, r"seg_layer.bias has the shape \(5,\) in the place of \(4,\)"),
        "infinite": (state | {first: state[first] / 0}, "values that are not finite"),
    }


def test_each_bad_checkpoint_is_refused_in_one_sentence_and_nothing_is_run(tmp_path):
    for number, (content, sentence) in enumerate(_bad(tmp_path).values()):
        path = tmp_path / f"{number}.pth"
        if content == "text":
            path.write_text("no checkpoint")
        elif content is not None:
            torch.save(content, path)
        with pytest.raises(CheckpointError, match=sentence) as error:
            import_checkpoint("rfnet", path)
        assert "\n" not in str(error.value)
        assert str(error.value).endswith(".")
    assert not (tmp_path / "ran").exists()


def test_strange_requests_are_refused(tmp_path, capsys):
    with pytest.raises(CheckpointError, match="No checkpoints of 'mti' are known"):
        import_checkpoint("mti", tmp_path / "x.pth")
    for words, sentence in (
        (["rfnet", "x.pth", "--out", "y.pth"], "does not end in .safetensors"),
        (["rfnet", "x.pth", "--out", "y.safetensors", "--subsets", "T9"], "'T9' is no known modality"),
    ):
        assert main(["import", *words]) == 2
        assert sentence in capsys.readouterr().err
