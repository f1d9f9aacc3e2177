"""A patient in napari's viewer: layers, planes, grid."""
