"""A disk that is full: the run goes on, and the last good checkpoint stays."""

import resource
import signal
import sys
from contextlib import ExitStack, contextmanager

import pytest

from napari_rdl.errors import OutputError
from napari_rdl.models import load_model
from napari_rdl.training.run.session import resume_training, run_training
from tests.training.run.conftest import assert_same, at_step, metrics


@contextmanager
def room_for(size):
    """Let no file grow beyond `size` bytes: writing then fails as on a full disk."""
    # What is imported meanwhile must not leave half a .pyc behind.
    writes_no_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
        sys.dont_write_bytecode = writes_no_bytecode


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning:")  # TensorBoard's thread
def test_full_disk_is_survived(tiny_training, straight, tmp_path, caplog):
    out, states, full = tmp_path / "full", {}, ExitStack()

    def progress(done, total, message):
        if not message.startswith("loss"):
            return
        if done == 3:
            states["before"] = (out / "state.safetensors").read_bytes()
            full.enter_context(room_for(2000))
        if done == 5:
            states["while full"] = (out / "state.safetensors").read_bytes()
            full.close()

    assert run_training(tiny_training("optimizer.ema_decay=0.5"), out, progress=progress).finished
    assert states["while full"] == states["before"]
    assert "training goes on" in caplog.text
    assert metrics(out) == metrics(straight)
    assert (out / "last.safetensors").read_bytes() == (straight / "last.safetensors").read_bytes()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning:")  # TensorBoard's thread
def test_best_weights_that_found_no_room_are_not_the_best(tiny_training, tmp_path, monkeypatch):
    scores, full = iter((0.3, 0.2)), ExitStack()
    monkeypatch.setattr("napari_rdl.training.step.trainer.overall", lambda table: next(scores))

    def progress(done, total, message):
        if message.startswith("loss"):
            full.enter_context(room_for(0)) if done == 1 else full.close()

    config = tiny_training("optimizer.max_steps=2", "validation.every=1")
    assert run_training(config, tmp_path / "run", progress=progress).best == 0.2
    assert load_model(tmp_path / "run" / "best.safetensors").card.steps == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning:")  # TensorBoard's thread
def test_last_good_checkpoint_stays_when_the_end_cannot_be_written(tiny_training, straight, tmp_path):
    out, config = tmp_path / "full", tiny_training("optimizer.ema_decay=0.5")
    with ExitStack() as until, pytest.raises(OutputError, match="the one before is kept"):
        run_training(config, out, progress=at_step(3, lambda: until.enter_context(room_for(0))))
    resume_training(out)
    assert_same(straight, out)
