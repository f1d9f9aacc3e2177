"""Fixtures that many rooms share: small patients, tiny models, real and odd files where they exist."""

from __future__ import annotations

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # The cores are shared out already; libraries look at this when they are imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import gc
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from napari_rdl.machine import usable_cores
from tests import warm

# How long an example takes depends on who else has the cores; it fails no test.
settings.register_profile("shared-cores", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared-cores")

_HEAVY = (
    "napari",
    "napari.viewer",
    "napari._qt.qt_viewer",
    "torch",
    "monai",
    "matplotlib.pyplot",
    "napari_rdl.segment",
)
_frozen: set[str] = set()
_frozen_at = 0
_COLLECTIONS = 8
"""After as many full collections, what is left of the tests that were is taken for lasting."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Keep what lives between tests out of the garbage collector's sight.

    napari collects garbage with each layer that is removed, its fixture with each viewer that is closed; a
    million objects of torch, napari and the window that is kept take a third of a second each time.
    """
    global _frozen_at
    loaded = {name for name in _HEAVY if name in sys.modules}
    collected = gc.get_stats()[2]["collections"]
    if loaded <= _frozen and collected < _frozen_at + _COLLECTIONS:
        return
    _frozen.update(loaded)
    gc.collect()
    gc.freeze()
    _frozen_at = collected + 1


def pytest_xdist_auto_num_workers() -> int:
    """Return the cores, four at most for the memory: each process takes half a minute of one to begin."""
    return min(usable_cores(), 4)


ROOT = Path(__file__).parents[1]
TINY_SHAPE = (26, 30, 22)


def _folder(variable: str, default: str) -> Path:
    folder = Path(os.environ.get(variable, ROOT / default))
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; set {variable} to run this test")
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real patients; tests that need it skip where it is absent."""
    return _folder("NAPARI_RDL_REAL_DATA", "../shared/real")


@pytest.fixture(scope="session")
def odd_data() -> Path:
    """The folder of odd NIfTI files; tests that need it skip where it is absent."""
    return _folder("NAPARI_RDL_ODD_DATA", "../shared/odd")


@pytest.fixture(scope="session")
def warm_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What stands for ``python`` before ``-m`` or ``-c`` and has loaded torch already; elsewhere, Python.

    Its process ends with the one that does the work; when it is killed itself, that one follows a moment
    later.
    """
    if sys.platform != "linux":
        yield sys.executable
        return
    folder = tmp_path_factory.getbasetemp()
    # All processes of pytest-xdist share one.
    command, lease = warm.start(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)
    with lease:
        yield command


@pytest.fixture(autouse=True, scope="session")
def _no_power_is_lost() -> Iterator[None]:
    """Spare the waiting for the disk: thousands of small files are written, to be read at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test's caches, settings and journals away from the user's own."""
    home = tmp_path_factory.mktemp("home")
    for variable in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(home / variable.lower()))
    monkeypatch.setenv("LOCALAPPDATA", str(home / "local"))


@pytest.fixture
def uncharted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write all that a study or an evaluation writes, with nothing drawn in it, which takes the longest."""
    from napari_rdl.cohort import charts, picture, report

    monkeypatch.setattr(picture, "draw_patient", lambda case, study: b"")
    monkeypatch.setattr(report, "chart_images", lambda *_: {})
    monkeypatch.setattr(charts, "heat_map", lambda *_: None)
    monkeypatch.setattr(charts, "png", lambda figure: b"")


def tiny_arrays(seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return a brain-like blob in four modalities (int16, 0 outside), and class indices with a tumour."""
    rng = np.random.default_rng(seed)
    axes = [np.linspace(-1, 1, size) for size in TINY_SHAPE]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    brain = x**2 + y**2 + z**2 < 0.8
    radius = np.sqrt((x - 0.25) ** 2 + (y + 0.1) ** 2 + z**2)
    classes = np.select([radius < 0.18, radius < 0.3, radius < 0.5], [1, 3, 2], 0).astype(np.uint8)
    classes[~brain] = 0
    brightness = {
        "T1": (300, 200, 250, 290),
        "T1c": (300, 180, 260, 700),
        "T2": (250, 500, 480, 420),
        "FLAIR": (200, 320, 480, 430),
    }
    images = {}
    for modality, means in brightness.items():
        image = np.asarray(means, float)[classes] + rng.normal(0, 15, TINY_SHAPE)
        images[modality] = np.where(brain, image.clip(1), 0).astype(np.int16)
    return images, classes


@pytest.fixture(scope="session")
def brats_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A patient of BraTS 2021 layout: LPS, 1 mm, four modalities and a mask with labels 0, 1, 2, 4."""
    folder = tmp_path_factory.mktemp("patients") / "BraTS2021_90001"
    folder.mkdir()
    images, classes = tiny_arrays()
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    affine[1, 3] = TINY_SHAPE[1] - 1
    endings = {"T1": "t1", "T1c": "t1ce", "T2": "t2", "FLAIR": "flair"}
    values = np.array([0, 1, 2, 4], np.uint8)[classes]
    for ending, array in [(endings[name], image) for name, image in images.items()] + [("seg", values)]:
        # RAS+ arrays stored in LPS order, as BraTS does.
        nib.save(
            nib.Nifti1Image(np.ascontiguousarray(array[::-1, ::-1]), affine),
            folder / f"{folder.name}_{ending}.nii.gz",
        )
    return folder


@pytest.fixture(scope="session")
def patients_folder(brats_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four patients of BraTS layout; the last one has no T2."""
    root = tmp_path_factory.mktemp("dataset")
    for number in range(4):
        name = f"BraTS2021_9100{number}"
        (root / name).mkdir()
        for file in brats_folder.iterdir():
            if number < 3 or "_t2." not in file.name:
                shutil.copy(file, root / name / file.name.replace(brats_folder.name, name))
    return root


@pytest.fixture(scope="session")
def tiny_config():
    """The architecture of the tiny model."""
    from napari_rdl.models import NetworkConfig

    return NetworkConfig(channels=(4, 8), groups=2)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_config) -> Path:
    """A checkpoint of random weights at 2 mm whose labels differ between subsets."""
    import torch

    from napari_rdl.models import ModelCard, save_model
    from napari_rdl.models.rdl.model import RobustNet

    torch.manual_seed(3)
    network = RobustNet(tiny_config)
    with torch.no_grad():
        # Random weights alone say background everywhere; a wide head says something of all classes.
        network.head.weight.mul_(8)
        network.head.bias.zero_()
    card = ModelCard(name="tiny", network=tiny_config, spacing=(2.0, 2.0, 2.0), trained_on="nothing")
    return save_model(tmp_path_factory.mktemp("models") / "tiny.safetensors", network, card)


@pytest.fixture
def tiny_model(tiny_checkpoint: Path):
    """The tiny checkpoint, loaded."""
    from napari_rdl.models import load_model

    return load_model(tiny_checkpoint)
