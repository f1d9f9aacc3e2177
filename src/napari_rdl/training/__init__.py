"""Training: configuration, losses, data, loop, run folder. ``python -m napari_rdl.training``."""
