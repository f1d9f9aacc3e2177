"""What can go wrong through no fault of the program: one family, each with one plain sentence.

The message names the file or setting and says what to do. The shell prints it and exits with 2;
the plugin shows it as a warning.
"""


class NapariRdlError(Exception):
    """Base of every error that a user can cause and mend."""


class CaseError(NapariRdlError):
    """A patient's files cannot be used as they are."""


class GridsDifferError(CaseError):
    """A patient's modalities lie on different grids; resampling them onto one would mend it."""


class CheckpointError(NapariRdlError):
    """A checkpoint cannot be read, or does not fit."""


class ConfigError(NapariRdlError):
    """A setting has a wrong name, type or value."""


class DeviceError(NapariRdlError):
    """The device asked for is not there."""


class OutputError(NapariRdlError):
    """A result cannot be written where it was asked to be."""
