"""An earlier patient leaves nothing in memory but what was encoded of it."""

from __future__ import annotations

import gc
import shutil
import weakref

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication


def test_an_earlier_patient_leaves_nothing_but_what_was_encoded(encoded, brats_folder, tmp_path, finish):
    encoded.set_subset(("T1", "T2"))
    finish(encoded)
    held = {
        "case": encoded.session.case,
        "representations": encoded.session.representations,
        "segmentation": encoded.updater.segmentation,
        **{layer.name: layer for layer in encoded.viewer.layers},
    }
    left = {name: weakref.ref(one) for name, one in held.items()}
    del held
    encoded.open_patient(shutil.copytree(brats_folder, tmp_path / "another"))
    finish(encoded)
    encoded.run()
    finish(encoded)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    assert [name for name, one in left.items() if one() is not None] == []
