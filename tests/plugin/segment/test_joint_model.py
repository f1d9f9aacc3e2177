"""The widget with a model that needs a pass for each subset, and with each published method."""

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_rdl.brats import SUBSETS
from napari_rdl.models import METHODS, ModelCard, save_model

from ...joint import METHOD, registered, save_tiny_joint
from ...published import TINY, tiny


@pytest.fixture(autouse=True)
def _registered():
    with registered():
        yield


def run_with(widget, finish, path):
    from napari_rdl.plugin.segment.session import RunChoice

    widget.run_box.set_choice(RunChoice(model=path, device="cpu", precision="float32"))
    widget.run()
    finish(widget)
    assert widget.session.representations is not None, widget.messages.messages
    return widget.session.representations


def test_switches_say_what_a_flip_costs_and_how_far_it_is(opened, finish, tmp_path):
    representations = run_with(opened, finish, save_tiny_joint(tmp_path))
    assert representations.computation.model_name == "joint"
    assert not representations.at_once(["T1"])
    switches = opened.switches
    assert switches.hint.text() == "All that the patient has. Each new subset is a pass of about 1 s."
    told, bars, hints = [], [], []
    opened.updater.progressed.connect(lambda *said: told.append(said))
    opened.updater.progressed.connect(lambda *_said: bars.append(not switches.pass_bar.isHidden()))
    opened.updater.progressed.connect(lambda *_said: hints.append(switches.hint.text()))
    opened.updater.progressed.connect(lambda *_said: bars.append(not opened.volumes_table.isEnabled()))
    opened.set_subset(["T1"])
    finish(opened)
    before = "Labels and volumes are still those of T1+T1c+T2+FLAIR. Switch back to stop the pass."
    assert set(hints) == {before}
    assert opened.volumes_table.isEnabled()
    assert switches.hint.text().startswith("Without T1c, T2, FLAIR.")
    assert {message for _, _, message in told} >= {"Encoding T1"}
    assert all(bars)
    assert switches.pass_bar.isHidden()
    shown = opened.updater.prediction.layer.data
    assert representations.at_once(["T1"])
    assert np.array_equal(np.asarray(shown) > 0, representations.labels(["T1"]) > 0)


def test_models_are_listed_below_their_methods(opened, tmp_path):
    box = opened.run_box.model_box
    opened.run_box.choose_model(save_tiny_joint(tmp_path))
    titles = [box.itemText(index) for index in range(box.count())]
    ours, theirs = (titles.index(method.title) for method in (METHODS["rdl"], METHOD))
    assert ours == 0
    assert ours < titles.index("tiny (tiny.safetensors)") < theirs < titles.index("joint (joint.safetensors)")
    assert all(box.model().item(place).flags() == Qt.ItemFlag.NoItemFlags for place in (ours, theirs))
    assert box.currentText() == "joint (joint.safetensors)"


def test_every_method_shows_all_fifteen_subsets(opened, finish, tmp_path):
    for method in TINY:
        network = tiny(method)
        card = ModelCard(name=method, method=method, network=network.config, spacing=(4.0, 4.0, 4.0), tile=32)
        representations = run_with(
            opened, finish, save_model(tmp_path / f"{method}.safetensors", network, card)
        )
        assert (representations.pass_seconds is None) == (method == "gmd")
        for subset in SUBSETS:
            opened.set_subset(subset)
            finish(opened)
            shown = np.asarray(opened.updater.prediction.layer.data)
            assert np.array_equal(shown > 0, representations.labels(subset) > 0), (method, subset)
