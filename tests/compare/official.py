"""What BraTS's own package says of label maps: ``python tests/compare/official.py`` where it is installed.

It wants older NumPy and pandas than napari-rdl, so it has an environment of its own (brats-evaluation 0.0.10
with panoptica 2.1.7), and what it said stands in ``official.json`` beside this file. Its configuration for
gliomas has the labels of 2023, and lesions are connected pieces that are matched one to one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

FIGURES = Path(__file__).with_suffix(".json")
SEEDS = range(3)
REGIONS = ("wt", "tc", "et")


def label_maps(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a reference and what was found, 68 x 48 x 42 voxels of 1 mm: lesions that lie well apart.

    Each has oedema around an enhancing shell around a core. One is missed, one is none, the others are moved
    and grow or shrink by a voxel.
    """
    rng = np.random.default_rng(seed)
    maps = np.zeros((2, 68, 48, 42), np.uint8)
    places = [(x, y, z) for x in (11, 33, 56) for y in (11, 36) for z in (9, 32)]
    chosen = rng.permutation(len(places))[:6]
    grid = np.indices(maps.shape[1:])
    for number, place in enumerate(chosen):
        centre = np.array(places[place])[:, None, None, None]
        radius = int(rng.integers(5, 8))
        shift = rng.integers(-1, 2, 3)[:, None, None, None]
        both = [(centre, radius), (centre + shift, radius + int(rng.integers(-1, 2)))]
        for which, (middle, size) in enumerate(both):
            if (number, which) in ((0, 1), (1, 0)):
                continue
            distance = np.sqrt(((grid - middle) ** 2).sum(0))
            maps[which][distance <= size] = 2
            maps[which][distance <= size - 2] = 3
            maps[which][distance <= size - 4] = 1
    return maps[0], maps[1]


def main() -> None:
    """Write the figures."""
    from importlib.resources import files

    from panoptica import Panoptica_Evaluator

    config = files("brats_evaluation").joinpath("configs", "config_gli.yaml")
    evaluator = Panoptica_Evaluator.load_from_config(str(config))
    said = []
    for seed in SEEDS:
        truth, found = label_maps(seed)
        results = evaluator.evaluate(found, truth)
        row = {}
        for region in REGIONS:
            one = results[region]
            row[region] = {
                "dice": float(one.global_bin_dsc),
                "hd95": float(one.global_bin_hd95),
                "tp": int(one.tp),
                "fp": int(one.fp),
                "fn": int(one.fn),
                "lesion_dice": float(one.sq_dsc),
            }
        said.append(row)
    FIGURES.write_text(json.dumps(said, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
