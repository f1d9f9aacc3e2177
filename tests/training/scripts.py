"""Scripts below training/, loaded as modules."""

import importlib.util
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "training"


def load(name):
    """Return a script as a module."""
    path = SCRIPTS / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"script_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    # A data class looks its module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
