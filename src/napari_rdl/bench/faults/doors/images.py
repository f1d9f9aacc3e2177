"""Doors of images: a header, packed voxels, a mask, and the names of files and folders."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np

from napari_rdl.bench.faults.damage import (
    BYTES,
    Rng,
    flip,
    odd_name,
    within,
)
from napari_rdl.bench.faults.door import Door, FileDoor

SHAPE = (9, 8, 7)


def some_volume() -> np.ndarray:
    """Return whole numbers (9, 8, 7), the same each time, with a side of zeros."""
    volume = np.random.default_rng(7).integers(1, 900, SHAPE).astype(np.int16)
    volume[0] = 0
    return volume


def write_image(path: Path, volume: np.ndarray) -> None:
    """Write a volume as NIfTI of 1 mm, packed where the name says so, without a clock in it."""
    image = nib.Nifti1Image(volume, np.eye(4))
    image.header.set_xyzt_units("mm")
    content = image.to_bytes()
    path.write_bytes(gzip.compress(content, mtime=0) if path.name.endswith(".gz") else content)


class ImageHeader(FileDoor):
    """A few bytes of an image's header."""

    name = "an image's header"
    damages = (within(0, 352),)

    def make(self) -> Path:
        """Write an image that is not packed."""
        path = self.folder / "P_t1.nii"
        write_image(path, some_volume())
        return path

    def open(self) -> str:
        """Read it: any header may be right, and says so in numbers that are finite."""
        from napari_rdl.case import read_image

        image, affine, _, _ = read_image(self.path)
        return "" if np.isfinite(image).all() and np.isfinite(affine).all() else "values that are not finite"


class PackedImage(FileDoor):
    """Any byte of a packed image: what is read must be what was packed."""

    name = "a packed image"

    def make(self) -> Path:
        """Write a packed image."""
        path = self.folder / "P_t1.nii.gz"
        self.volume = some_volume()
        write_image(path, self.volume)
        self.damages = BYTES
        return path

    def open(self) -> str:
        """Read it."""
        from napari_rdl.case import read_image

        image = read_image(self.path)[0]
        return "" if np.array_equal(image, self.volume) else "other voxels than were packed"


class Mask(FileDoor):
    """Voxels of an expert's mask."""

    name = "a mask"
    damages = (within(352, 352 + int(np.prod(SHAPE))), flip, within(0, 352))

    def make(self) -> Path:
        """Write a patient with a mask."""
        write_image(self.folder / "P_t1.nii", some_volume())
        path = self.folder / "P_seg.nii"
        write_image(path, np.random.default_rng(3).choice([0, 1, 2, 4], SHAPE).astype(np.uint8))
        return path

    def open(self) -> str:
        """Read the patient and the mask."""
        from napari_rdl.case import load_case

        truth = load_case(self.folder, labels="brats2018").truth()
        return "" if truth is not None and truth.max() < 4 else "classes that there are none of"


class FileNames(Door):
    """Names of a patient's folder and files."""

    name = "file and folder names"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.world = folder / "world"

    def damage(self, rng: Rng) -> str:
        """Make a patient whose folder, and one of whose files, have odd names; a good one lies beside."""
        shutil.rmtree(self.world, ignore_errors=True)
        folder, file = odd_name(rng), odd_name(rng)
        ending = str(rng.choice(["_t1.nii", "_t1ce.nii", "t2.nii", "-t2f.nii", ".nii", "_flair.NII", ""]))
        for name, files in ((folder, (f"{file}{ending}", "P_t1.nii")), ("good", ("good_t1.nii",))):
            (self.world / name).mkdir(parents=True, exist_ok=True)
            for one in files:
                write_image(self.world / name / one.encode()[:250].decode(errors="ignore"), some_volume())
        return f"{folder!a}, {file + ending!a}"[:120]

    def open(self) -> str:
        """Find and read all; the good one is read whatever becomes of the other."""
        from napari_rdl.case import find_patients, load_case
        from napari_rdl.errors import CaseError

        refusal = None
        read = []
        for folder in find_patients(self.world):
            try:
                read.append(load_case(folder).name)
            except CaseError as error:
                refusal = error
        if "good" not in read:
            return "the good patient was not read"
        if refusal is not None:
            raise refusal
        return ""
