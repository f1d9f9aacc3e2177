"""An earlier patient leaves nothing in memory but what was encoded of it."""

from __future__ import annotations

import gc
import shutil
import weakref

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication

from napari_rdl.plugin.viewer.roles import Role, role_of


def test_an_earlier_patient_leaves_nothing_but_what_was_encoded(
    encoded_alone, brats_folder, tmp_path, finish
):
    encoded_alone.set_subset(("T1", "T2"))
    finish(encoded_alone)
    held = {
        "case": encoded_alone.session.case,
        "representations": encoded_alone.session.representations,
        "segmentation": encoded_alone.updater.segmentation,
        # The images' layers serve the next patient.
        **{layer.name: layer for layer in encoded_alone.viewer.layers if role_of(layer) is not Role.IMAGE},
        **encoded_alone.session.case.images,
    }
    left = {name: weakref.ref(one) for name, one in held.items()}
    del held
    encoded_alone.open_patient(shutil.copytree(brats_folder, tmp_path / "another"))
    finish(encoded_alone)
    encoded_alone.run()
    finish(encoded_alone)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    assert [name for name, one in left.items() if one() is not None] == []
