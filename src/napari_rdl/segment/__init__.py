"""Encode once, combine often."""

from napari_rdl.segment.cache import RepresentationCache
from napari_rdl.segment.computation import Computation
from napari_rdl.segment.devices import available_devices
from napari_rdl.segment.encoding import encode
from napari_rdl.segment.prepared import prepared_labels
from napari_rdl.segment.representations import Representations
from napari_rdl.segment.segmentation import Segmentation, output_name
from napari_rdl.segment.settings import SegmentSettings

__all__ = [
    "Computation",
    "RepresentationCache",
    "Representations",
    "SegmentSettings",
    "Segmentation",
    "available_devices",
    "encode",
    "output_name",
    "prepared_labels",
]
