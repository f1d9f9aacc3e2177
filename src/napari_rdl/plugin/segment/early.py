"""What opening a patient needs, loaded before: the first patient opens as quickly as the next."""

from __future__ import annotations

import threading

from napari.utils.transforms import Affine

from napari_rdl.plugin.viewer.appearance import AXIS_LABELS

_begun = False


def load_early() -> None:
    """Load it, once in a process; on the GUI's thread, at a moment in which nobody waits.

    What can be is imported in a thread. napari's units cannot: whoever asks for one while they are read finds
    none.
    """
    global _begun
    if _begun:
        return
    _begun = True
    Affine(ndim=3, units=("mm",) * 3, axis_labels=AXIS_LABELS)
    threading.Thread(target=_import_readers, name="napari-rdl-readers", daemon=True).start()


def _import_readers() -> None:
    import scipy.ndimage
    import scipy.spatial.transform  # noqa: F401

    import napari_rdl.case.checks
    import napari_rdl.case.guessing
    import napari_rdl.case.loading  # noqa: F401
