"""What tells one version of the generator from another."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=1)
def generator_digest() -> str:
    """Return a hash of the code that makes synthetic patients, so that no change of it goes unseen."""
    digest = hashlib.sha256()
    package = files("napari_rdl") / "phantom"
    for source in sorted(package.iterdir(), key=lambda item: item.name):
        if source.name.endswith(".py"):
            digest.update(source.read_bytes())
    return digest.hexdigest()
