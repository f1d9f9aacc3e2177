"""A patient that napari's own menus brought, its sample or a folder, taken as if it had been opened here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

from napari_rdl.plugin.viewer.patient_layers import find_images
from napari_rdl.plugin.viewer.roles import Role, case_of, plugin_metadata, role_of

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_rdl.plugin.parts.tasks import TaskRunner
    from napari_rdl.plugin.segment.session import Session


class Adopting(QObject):
    """Looks for the images of a whole patient among a viewer's layers, and has them taken.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    session : Session
    tasks : TaskRunner
        Nothing is taken while a patient is open or work runs.
    take : callable
        Takes these layers as the patient: modality -> layer.
    parent : QObject
    """

    def __init__(
        self,
        viewer: Viewer,
        session: Session,
        tasks: TaskRunner,
        take: Callable[[dict[str, Image]], None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._session = session
        self._tasks = tasks
        self._take = take
        # A patient's layers come one after the other.
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._look)
        viewer.layers.events.inserted.connect(self._on_inserted)
        self._timer.start(0)

    def release(self) -> None:
        """Look no more."""
        self._timer.stop()
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)

    def _on_inserted(self) -> None:
        self._timer.start(0)

    def _look(self) -> None:
        if self._session.case is not None or self._tasks.busy:
            return
        if found := whole_patient(self._viewer):
            self._take(found)


def whole_patient(viewer: Viewer) -> dict[str, Image]:
    """Return the images of the topmost patient who is there with all modalities: modality -> layer."""
    images = [layer for layer in find_images(viewer) if role_of(layer) is Role.IMAGE]
    for top in reversed(images):
        if (case := case_of(top)) is not None:
            own = {plugin_metadata(layer)["modality"]: layer for layer in images if case_of(layer) is case}
            if set(own) == set(case.modalities):
                return own
    return {}
