"""Every number of a training run, in typed places; one description serves form, shell and record."""

from napari_rdl.training.config.augment import AugmentConfig
from napari_rdl.training.config.data import DataConfig
from napari_rdl.training.config.loss import Divergence, LossConfig
from napari_rdl.training.config.method import MethodConfig
from napari_rdl.training.config.optimizer import OptimizerConfig
from napari_rdl.training.config.run import HardwareConfig, RunConfig, ValidationConfig
from napari_rdl.training.config.source import SourceConfig, read_source
from napari_rdl.training.config.training import TrainingConfig

__all__ = [
    "AugmentConfig",
    "DataConfig",
    "Divergence",
    "HardwareConfig",
    "LossConfig",
    "MethodConfig",
    "OptimizerConfig",
    "RunConfig",
    "SourceConfig",
    "TrainingConfig",
    "ValidationConfig",
    "read_source",
]
