"""The desk's keys at work: bound to what they do, changed in a list, and remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from napari_rdl.plugin.correct.keys import DeskKeyEditor, RememberedDesk, all_keys
from napari_rdl.plugin.parts.memory import Memory, memory_file
from napari_rdl.plugin.segment.key_bindings import ViewerKeys

if TYPE_CHECKING:
    from napari.viewer import Viewer


class DeskKeys(QObject):
    """Binds the desk's actions to the keys that the user chose.

    Signals
    -------
    bound : dict
        Action -> key, all of them.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    parent : QWidget

    Attributes
    ----------
    editor : DeskKeyEditor
        The list in which keys are changed.
    memory : Memory
        Which keys were changed.
    """

    bound = Signal(object)

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        self.memory = Memory(RememberedDesk, memory_file("correct_labels"))
        self.editor = DeskKeyEditor(all_keys(self.memory.choices.keys))
        self.editor.keys_changed.connect(self._on_changed)
        self._keys = ViewerKeys(viewer)
        self._actions: Mapping[str, Callable[[], object]] = {}

    def bind(self, actions: Mapping[str, Callable[[], object]]) -> None:
        """Bind every action's key to what it does."""
        self._actions = actions
        self._bind(all_keys(self.memory.choices.keys))

    def release(self) -> None:
        """Give the keys back."""
        self._keys.release()

    def _on_changed(self, keys: dict[str, str]) -> None:
        first = all_keys({})
        self.memory.remember(keys={action: key for action, key in keys.items() if key != first[action]})
        self._bind(keys)

    def _bind(self, keys: dict[str, str]) -> None:
        self._keys.release()
        self._keys.bind({key: self._actions[action] for action, key in keys.items() if key})
        self.bound.emit(keys)
