"""The error tree. Each leaf says which file, what is wrong with it, and how to mend it.

TankerEdgeError
├── UsageError              exit 2: an option or a combination of options makes no sense
├── InputError              exit 2: something the user gave cannot be used
│   ├── SceneError          a scene: missing, truncated, not an image, too large, no pixels, ...
│   └── AoiError            an area of interest: not GeoJSON, no polygon, outside the scene, other CRS, ...
├── OutputError             exit 2: a result cannot be written
├── ModelError              exit 3: a model folder: missing, tampered with, card without a field, ...
├── ProviderError           exit 3: an execution provider is not there or does not run
└── StoppedError            exit 4: the caller wanted no more of it
"""

from __future__ import annotations


class TankerEdgeError(Exception):
    """Root of all errors that a user can mend.

    Args:
        subject: the file, option or thing that is wrong, as the user named it.
        cause: what is wrong with it, one clause.
        mend: what to do about it, one clause.
    """

    exit_code = 4

    def __init__(self, subject: object, cause: str, mend: str) -> None:
        """Keep the three parts; the message is `subject: cause; mend`."""
        self.subject = str(subject)
        self.cause = cause
        self.mend = mend
        super().__init__(f"{self.subject}: {cause}; {mend}")

    def __reduce__(self) -> tuple[type[TankerEdgeError], tuple[str, str, str]]:
        """Pickle by parts, so that the error survives a process boundary."""
        return (type(self), (self.subject, self.cause, self.mend))


class UsageError(TankerEdgeError):
    """An option, or a combination of options, makes no sense."""

    exit_code = 2


class InputError(TankerEdgeError):
    """Something that the user gave cannot be used."""

    exit_code = 2


class SceneError(InputError):
    """A scene cannot be opened or read."""


class AoiError(InputError):
    """An area of interest cannot be used with this scene."""


class OutputError(TankerEdgeError):
    """A result cannot be written."""

    exit_code = 2


class ModelError(TankerEdgeError):
    """A model folder is missing, incomplete or not what its card says."""

    exit_code = 3


class ProviderError(TankerEdgeError):
    """An execution provider is not installed, or does not run."""

    exit_code = 3


class StoppedError(TankerEdgeError):
    """Work was stopped from outside before it was done."""
