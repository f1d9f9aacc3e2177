"""Put a run's weights into the package, with their model card and the figures measured on them.

python training/shipped-weights/release.py RUN/last.safetensors [--results results.json]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from napari_rdl.network import bundled_model_path, load_model, save_model

TRAINED_ON = (
    "synthetic patients only (napari_rdl.phantom: MNI152 anatomy, simulated gliomas, contrasts and "
    "scanners); no real scan was used"
)


def main() -> None:
    """Write the bundled checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--results", type=Path, help="JSON of measured figures for the model card")
    arguments = parser.parse_args()
    model = load_model(arguments.checkpoint)
    recipe = model.card.recipe
    recipe.get("data", {}).pop("cache", None)
    recipe.pop("hardware", None)
    results = json.loads(arguments.results.read_text()) if arguments.results else {}
    card = model.card.model_copy(
        update={
            "name": "synthetic-2mm",
            "trained_on": TRAINED_ON,
            "tile": 64,
            "recipe": recipe,
            "results": results,
        }
    )
    save_model(bundled_model_path(), model.network, card)


if __name__ == "__main__":
    main()
