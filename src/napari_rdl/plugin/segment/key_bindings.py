"""Keys that flip modalities, bound in code: npe2's keybindings are not passed on to napari yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from app_model.backends.qt import qkeysequence2modelkeybinding
from app_model.types import KeyBinding
from napari._app_model import get_app_model
from napari.components import ViewerModel
from napari.layers import Labels
from napari.settings import get_settings
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QWidget

from napari_rdl import brats
from napari_rdl.plugin.parts.key_editor import KeyTable

if TYPE_CHECKING:
    from napari.viewer import Viewer

DEFAULT_KEYS = {"T1": "F1", "T1c": "F2", "T2": "F3", "FLAIR": "F4"}
"""Keys that neither napari nor its layers use."""


class ModalityKeys:
    """Binds one key per modality in a viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    flip : callable
        Called with the modality whose key was pressed.
    """

    def __init__(self, viewer: Viewer, flip: Callable[[str], None]) -> None:
        self._viewer = viewer
        self._flip = flip
        self._bound: dict[str, str] = {}

    @property
    def bound(self) -> dict[str, str]:
        """The keys that are bound now, modality -> key."""
        return dict(self._bound)

    def bind(self, keys: Mapping[str, str]) -> None:
        """Bind these keys (modality -> key such as ``F1`` or ``Alt+1``) in place of the last ones."""
        self.release()
        for modality, key in keys.items():
            if key:
                self._viewer.bind_key(_binding(key), self._flipper(modality), overwrite=True)
                self._bound[modality] = key

    def release(self) -> None:
        """Give the keys back."""
        for key in self._bound.values():
            self._viewer.bind_key(_binding(key), None, overwrite=True)
        self._bound.clear()

    def _flipper(self, modality: str) -> Callable[[object], None]:
        def flip(viewer: object) -> None:
            self._flip(modality)

        return flip


class ViewerKeys:
    """Binds keys in a viewer and gives them back; a key that napari has already is left to napari.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.bound: list[str] = []

    def bind(self, actions: Mapping[str, Callable[[], object]], *, beside_layers: bool = False) -> None:
        """Bind these keys (such as ``Alt+G``), each to what it does.

        Parameters
        ----------
        actions : Mapping
            Key -> what it does.
        beside_layers : bool
            Bind them though a kind of layer that is not ours has them: selected, it goes on to have them.
        """
        for key, action in actions.items():
            if beside_layers or why_not(key, "", {}) is None:
                self._viewer.bind_key(_binding(key), lambda _viewer, act=action: act(), overwrite=True)
                self.bound.append(key)

    def release(self) -> None:
        """Give the keys back."""
        for key in self.bound:
            self._viewer.bind_key(_binding(key), None, overwrite=True)
        self.bound.clear()


def why_not(key: str, modality: str, keys: Mapping[str, str]) -> str | None:
    """Return why `key` cannot flip `modality`, in a sentence, or None if it can."""
    if not key:
        return None
    try:
        binding = _binding(key)
    except (ValueError, KeyError):
        return f"{key} cannot be used as a key."
    if len(binding.parts) > 1:
        return f"{key} is a sequence: use one key, with Ctrl, Alt or Shift if you like."
    for other, taken in keys.items():
        if other != modality and taken and _binding(taken) == binding:
            return f"{key} already flips {other}."
    for action, bindings in get_settings().shortcuts.shortcuts.items():
        if binding in bindings:
            return f"{key} is napari's key for '{action.partition(':')[2].replace('_', ' ')}': use another."
    # Keys that no setting names: those of napari's menus, and those that layers and viewers were born with.
    born = [*Labels.class_keymap, *ViewerModel.class_keymap]
    menus = [rule.keybinding for rule in get_app_model().keybindings]
    if binding in born or binding in menus:
        return f"{key} is one of napari's own keys: use another."
    return None


class KeyEditor(KeyTable):
    """One field per modality to press a key in."""

    def __init__(self, keys: Mapping[str, str], parent: QWidget | None = None) -> None:
        super().__init__({name: name for name in brats.MODALITIES}, keys, DEFAULT_KEYS, parent)
        for modality, edit in self.edits.items():
            edit.setToolTip(f"Click, then press the key that is to flip {modality}")
        self.reset_button.setToolTip(
            "Use " + ", ".join(f"{key} for {name}" for name, key in DEFAULT_KEYS.items())
        )

    def refusal(self, action: str, key: str) -> str | None:
        """Return in a sentence why a modality cannot have a key; None if it can."""
        return why_not(key, action, self._keys)


def _binding(key: str) -> KeyBinding:
    """Return a key in Qt's portable spelling, such as ``Ctrl+F1``, as napari's."""
    binding = qkeysequence2modelkeybinding(QKeySequence(key))
    if not binding.parts:
        raise ValueError(f"{key!r} is no key")
    return binding
