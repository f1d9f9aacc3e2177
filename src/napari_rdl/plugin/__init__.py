"""The napari plugin: the only room that knows napari and Qt.

Nothing here imports torch or monai: the rooms that need them are imported inside the functions
that do the heavy work, so that opening napari and looking at a patient costs nothing.
"""
