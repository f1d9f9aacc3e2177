"""The switches of the widget with a model that needs a pass for each subset."""

import numpy as np
import pytest

from ...joint import registered, save_tiny_joint


@pytest.fixture(autouse=True)
def _registered():
    with registered():
        yield


def test_switches_show_each_subset_as_soon_as_its_pass_has_ended(opened, finish, tmp_path):
    from napari_rdl.plugin.segment.session import RunChoice

    opened.run_box.set_choice(RunChoice(model=save_tiny_joint(tmp_path), device="cpu", precision="float32"))
    opened.run()
    finish(opened)
    representations = opened.session.representations
    assert representations is not None, opened.messages.messages
    assert representations.computation.model_name == "joint"
    assert not representations.at_once(["T1"])
    opened.set_subset(["T1"])
    finish(opened)
    shown = opened.updater.prediction.layer.data
    assert representations.at_once(["T1"])
    assert np.array_equal(np.asarray(shown) > 0, representations.labels(["T1"]) > 0)
