"""The picture drawn without a display."""

from __future__ import annotations

from matplotlib.image import imread

from napari_rdl.case import load_case
from napari_rdl.segment import SegmentSettings, encode
from napari_rdl.segment.figure import draw_segmentations

SETTINGS = SegmentSettings(device="cpu")


def test_the_tumour_is_coloured_and_the_patients_left_is_on_the_right(tiny_model, brats_folder, tmp_path):
    representations = encode(load_case(brats_folder), tiny_model, settings=SETTINGS)
    full = representations.combine()
    # The only tumour lies far left in the patient: small x.
    full.labels[:] = 0
    full.labels[2:5, 13:17, 10] = 1
    path = draw_segmentations([full], tmp_path / "deep" / "figure.png")
    picture = imread(path)[..., :3]
    lower_left_panel = picture[picture.shape[0] // 2 : -60, : picture.shape[1] // 4]
    red = (lower_left_panel[..., 0] - lower_left_panel[..., 1]) > 0.2
    assert red.any()
    columns = red.any(axis=0).nonzero()[0]
    assert columns.mean() > lower_left_panel.shape[1] / 2


def test_a_patient_without_tumour_is_drawn_too(tiny_model, brats_folder, tmp_path):
    representations = encode(load_case(brats_folder), tiny_model, modalities=["FLAIR"], settings=SETTINGS)
    empty = representations.combine()
    empty.labels[:] = 0
    picture = imread(draw_segmentations([empty], tmp_path / "figure.png"))
    assert picture[..., :3].max() > 0.5
