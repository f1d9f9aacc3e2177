"""Sample data: one synthetic patient at BraTS size, made on this machine, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils import progress
from qtpy.QtWidgets import QApplication

from napari_rdl.callbacks import Progress, ignore_progress
from napari_rdl.plugin.parts.waiting import while_the_window_lives
from napari_rdl.plugin.readers import turn_to_new_patient
from napari_rdl.plugin.viewer.patient_layers import LayerData, image_layer_data

if TYPE_CHECKING:
    from napari_rdl.case import Case


def sample_patient() -> list[LayerData]:
    """Return the images of the synthetic patient; the first call makes it, in some seconds."""
    if QApplication.instance() is None:
        case = _read_sample(ignore_progress)
    else:
        with progress(total=0, desc="Making the sample patient") as bar:
            case = while_the_window_lives(_read_sample, _show_in(bar))
    turn_to_new_patient()
    return image_layer_data(case)


def _read_sample(report: Progress) -> Case:
    from napari_rdl.case import load_case
    from napari_rdl.phantom import sample_patient_folder

    return load_case(sample_patient_folder(report))


def _show_in(bar: progress) -> Progress:
    def show(done: int, total: int, message: str) -> None:
        bar.total = total
        bar.set_description(message)
        bar.update(done - bar.n)

    return show
