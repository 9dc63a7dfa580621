"""A scene whose bytes are not in a file of their own: in an archive, or in a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.errors import InputError, SceneError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO


class FileTrouble(InputError, OSError):  # noqa: N818 - most often it is no error of anybody's
    """Bytes cannot be had, whatever they are. Its cause and mend say why, as those of all our errors."""


class SceneFile(Protocol):
    """Bytes that `edge.scene.open_scene` reads as it reads a file; it looks for no other files beside them.

    They stay the same as long as this is open: reading raises an OSError, best a FileTrouble, where they have changed.
    """

    @property
    def name(self) -> str:
        """Without folders: the scene's name."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def ranged(self) -> bool:
        """Whether any part of it can be read at little cost: a TIFF is then read by its blocks, anything else whole."""

    @property
    def trouble(self) -> OSError | None:
        """Why a read failed, though not for the bytes: a store that cannot be reached; None where none did."""

    def local(self) -> Path | None:
        """A file that holds these bytes and no others, for as long as this is open; None where there is none.

        Raises:
            OSError: they cannot be had.
        """

    def open(self) -> BinaryIO:
        """The bytes from their start; each call has a position of its own.

        Can be sought where this is `ranged`, else only be read to the end. Where it has a method
        `read_ranges(offsets, sizes)` that gives a list of bytes, each as long as asked for, TIFFs are read by it: a
        store can answer for several blocks at a time.

        Raises:
            OSError: they cannot be had.
        """

    def __str__(self) -> str:
        """As a user would name it."""


def unreadable(file: object, error: OSError) -> SceneError:
    """Why the bytes of a scene cannot be had, as an error that names it."""
    if not isinstance(error, FileTrouble):
        return SceneError(file, f"cannot be read ({error.strerror or error})", "check its permissions")
    about = "" if error.subject == str(file) else f"{error.subject}: "
    return SceneError(file, about + error.cause, error.mend)
