"""Sample data: one synthetic patient at BraTS size, made on this machine, once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from napari.utils import progress
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QApplication

from napari_rdl.callbacks import Progress
from napari_rdl.plugin.readers import turn_to_new_patient
from napari_rdl.plugin.viewer.patient_layers import LayerData, image_layer_data

if TYPE_CHECKING:
    from napari_rdl.case import Case

_POLL_MS = 30


def sample_patient() -> list[LayerData]:
    """Return the images of the synthetic patient; the first call makes it, in some seconds."""
    case = _while_the_window_lives(_read_sample)
    turn_to_new_patient()
    return image_layer_data(case)


def _read_sample(report: Progress) -> Case:
    from napari_rdl.case import load_case
    from napari_rdl.phantom import sample_patient_folder

    return load_case(sample_patient_folder(report))


def _while_the_window_lives(make: Callable[[Progress], Case]) -> Case:
    """Return what `make` returns; with a window it works in a thread, and the window stays alive.

    napari wants the layers back from this very call, so waiting is done by an event loop of our own.
    """
    state: dict[str, tuple[int, int, str]] = {}

    def report(done: int, total: int, message: str) -> None:
        state["now"] = (done, total, message)

    if QApplication.instance() is None:
        return make(report)
    loop = QEventLoop()
    timer = QTimer()
    with ThreadPoolExecutor(1) as pool, progress(total=0, desc="Making the sample patient") as bar:
        future = pool.submit(make, report)

        def look() -> None:
            if future.done():
                loop.quit()
            elif "now" in state:
                done, total, message = state.pop("now")
                bar.total = total
                bar.set_description(message)
                bar.update(done - bar.n)

        timer.timeout.connect(look)
        timer.start(_POLL_MS)
        loop.exec()
        timer.stop()
        return future.result()
