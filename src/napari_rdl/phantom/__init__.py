"""Synthetic patients with truth: anatomy, tumour, distractors, contrast, scanner."""

from napari_rdl.phantom.digest import generator_digest
from napari_rdl.phantom.patient import Phantom, make_phantom
from napari_rdl.phantom.planning import TUMOUR_TYPES
from napari_rdl.phantom.settings import PhantomSettings, TumourSettings, held_out_settings
from napari_rdl.phantom.sheet import save_sheet
from napari_rdl.phantom.writing import sample_patient_folder, write_phantom

__all__ = [
    "TUMOUR_TYPES",
    "Phantom",
    "PhantomSettings",
    "TumourSettings",
    "generator_digest",
    "held_out_settings",
    "make_phantom",
    "sample_patient_folder",
    "save_sheet",
    "write_phantom",
]
