"""What a run cannot begin or go on with is said in one sentence."""

import json
import shutil

import pytest
import torch

from napari_rdl.errors import CheckpointError, ConfigError, DeviceError, NapariRdlError, OutputError
from napari_rdl.training.run.session import resume_training, run_training


def spoiled_label(array, affine):
    array = array.copy()
    array[5, 5, 5] = 9
    return array, affine


def other_grid(array, affine):
    affine[0, 3] += 7
    return array, affine


class TestBadInput:
    """One sentence, and the run folder as it was."""

    @pytest.fixture
    def refused(self, tmp_path):
        def check(start, kind, words):
            before = sorted(tmp_path.rglob("*"))
            with pytest.raises(kind, match=words) as error:
                start()
            assert sorted(tmp_path.rglob("*")) == before
            assert issubclass(kind, NapariRdlError)
            assert "\n" not in str(error.value)

        return check

    def test_folder_that_is_not_empty(self, tiny_training, tmp_path, refused):
        (tmp_path / "notes.txt").write_text("mine")
        refused(lambda: run_training(tiny_training(), tmp_path), OutputError, "is not empty")

    def test_no_gpu(self, tiny_training, tmp_path, refused):
        if torch.cuda.is_available():
            pytest.skip("there is a GPU here")
        config = tiny_training("hardware.device=cuda")
        refused(lambda: run_training(config, tmp_path / "run"), DeviceError, "hardware.device is cuda")

    def test_half_precision_on_the_cpu(self, tiny_training, tmp_path, refused):
        config = tiny_training("hardware.precision=16-mixed")
        refused(lambda: run_training(config, tmp_path / "run"), DeviceError, "needs a GPU")

    @pytest.fixture
    def broken_patient(self, patients_folder, tmp_path_factory):
        """The dataset with one more patient, whose file an editor spoils."""
        import nibabel as nib
        import numpy as np

        def spoil(ending, change):
            root = tmp_path_factory.mktemp("broken")
            shutil.copytree(patients_folder, root, dirs_exist_ok=True)
            path = next(root.glob(f"BraTS2021_91001/*_{ending}.nii.gz"))
            image = nib.load(path)
            array, affine = change(np.asarray(image.dataobj), image.affine.copy())
            nib.save(nib.Nifti1Image(array, affine), path)
            return root

        return spoil

    @pytest.mark.parametrize(
        ("ending", "change", "words"),
        [("seg", spoiled_label, "BraTS2021_91001.*9"), ("t2", other_grid, "BraTS2021_91001.*grid")],
        ids=["label", "grid"],
    )
    def test_broken_patient(self, tiny_training, tmp_path, refused, broken_patient, ending, change, words):
        config = tiny_training(f"data.source={str(broken_patient(ending, change))!r}")
        refused(lambda: run_training(config, tmp_path / "run"), ConfigError, words)

    def test_broken_patients_may_be_left_out(self, tiny_training, tmp_path, broken_patient):
        root = broken_patient("seg", spoiled_label)
        config = tiny_training(f"data.source={str(root)!r}", "data.skip_broken=true", "optimizer.max_steps=1")
        run_training(config, tmp_path / "run")
        split = json.loads((tmp_path / "run" / "split.json").read_text())
        assert list(split["left_out"]) == ["BraTS2021_91001"]
        assert "BraTS2021_91001" not in split["train"] + split["validation"]

    def test_beginning_with_another_architecture(self, tiny_training, tiny_checkpoint, tmp_path, refused):
        config = tiny_training(f"start_from={str(tiny_checkpoint)!r}", "network.channels=[4, 16]")
        refused(lambda: run_training(config, tmp_path / "run"), ConfigError, r"network.channels = \(4, 8\)")

    def test_beginning_with_nothing(self, tiny_training, tmp_path, refused):
        config = tiny_training("start_from=absent.safetensors")
        refused(lambda: run_training(config, tmp_path / "run"), CheckpointError, "absent.safetensors")

    def test_resuming_nothing(self, tmp_path, refused):
        refused(lambda: resume_training(tmp_path / "none"), ConfigError, "is no run folder")

    def test_resuming_with_another_configuration(self, straight, tmp_path, refused):
        config = json.loads((straight / "config.json").read_text())
        config["optimizer"]["lr"] = 0.5
        (straight / "config.json").write_text(json.dumps(config))
        refused(lambda: resume_training(straight), ConfigError, "not the configuration")

    def test_resuming_without_a_setting(self, straight, refused):
        config = json.loads((straight / "config.json").read_text())
        del config["optimizer"]["lr"]
        (straight / "config.json").write_text(json.dumps(config))
        refused(lambda: resume_training(straight), ConfigError, "not the configuration")

    def test_resuming_with_other_patients(self, straight, refused):
        split = json.loads((straight / "split.json").read_text())
        split["train"] = split["train"][:1]
        (straight / "split.json").write_text(json.dumps(split))
        refused(lambda: resume_training(straight), ConfigError, "train patients are no longer those")

    @pytest.mark.parametrize("content", [b"", b"x" * 100, None])
    def test_damaged_state(self, straight, refused, content):
        state = straight / "state.safetensors"
        state.write_bytes(state.read_bytes()[:-10] if content is None else content)
        refused(lambda: resume_training(straight), CheckpointError, "cannot be read as a run's state")

    def test_damaged_configuration(self, straight, refused):
        (straight / "config.json").write_text("{")
        refused(lambda: resume_training(straight), ConfigError, "cannot be read")
