"""Everything that focuskit raises on purpose.

FocuskitError
├── InputError
│   ├── PhotoUnreadableError      the file is missing, empty, truncated or damaged
│   ├── UnsupportedFormatError    the file is whole, but no decoder here knows it
│   ├── PhotoTooLargeError        more pixels than the limit allows
│   ├── ShapeError                an array has the wrong shape or type
│   ├── RangeError                a number lies outside what makes sense
│   └── CameraDataError           EXIF that is needed is missing or contradicts itself
├── RegistryError
│   ├── UnknownNameError          no such detector, operation or scorer; names the nearest ones
│   └── DuplicateNameError        two packages want the same name
├── WeightsError
├── DeviceError
├── OutputError
│   ├── OutputExistsError         something is there already and overwriting was not asked for
│   └── SidecarConflictError
├── BatchError
└── BridgeError

The text of each one is a sentence for the person at the keyboard: what was wrong, what was found,
what to do. The command line shows it without a traceback; any other exception is a bug and keeps
its own.
"""

from __future__ import annotations

__all__ = [
    "BatchError",
    "BridgeError",
    "CameraDataError",
    "DeviceError",
    "DuplicateNameError",
    "FocuskitError",
    "InputError",
    "OutputError",
    "OutputExistsError",
    "PhotoTooLargeError",
    "PhotoUnreadableError",
    "RangeError",
    "RegistryError",
    "ShapeError",
    "SidecarConflictError",
    "UnknownNameError",
    "UnsupportedFormatError",
    "WeightsError",
]


class FocuskitError(Exception):
    """Base of every error that focuskit raises on purpose."""


class InputError(FocuskitError):
    """What was handed in cannot be used."""


class PhotoUnreadableError(InputError):
    """The photo is missing, empty, truncated or damaged."""


class UnsupportedFormatError(InputError):
    """The file is not a photo format that focuskit can decode."""


class PhotoTooLargeError(InputError):
    """The photo has more pixels than the configured limit."""


class ShapeError(InputError):
    """An array has the wrong shape or dtype."""


class RangeError(InputError):
    """A value lies outside its range."""


class CameraDataError(InputError):
    """EXIF data that is needed is missing or contradicts itself."""


class RegistryError(FocuskitError):
    """A registry could not do what was asked."""


class UnknownNameError(RegistryError):
    """No row of that name."""


class DuplicateNameError(RegistryError):
    """A row of that name exists already."""


class WeightsError(FocuskitError):
    """Network weights are missing, damaged or of another version."""


class DeviceError(FocuskitError):
    """The compute device asked for is absent or too small."""


class OutputError(FocuskitError):
    """A result could not be written."""


class OutputExistsError(OutputError):
    """The output is there already and overwriting was not asked for."""


class SidecarConflictError(OutputError):
    """A sidecar holds something that must not be replaced."""


class BatchError(FocuskitError):
    """A batch run could not start or could not go on."""


class BridgeError(FocuskitError):
    """An editor and its worker could not understand each other."""
