"""One input as a listing finds it: where it is, and what is known of it before it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import UsageError
from edge.scene_source import GSD_M

if TYPE_CHECKING:
    from datetime import datetime

WITHIN = "!/"
"""Between an archive and its member, as in Java's jar URLs."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """What identifies an input, and where its bytes are."""

    base: str
    """An absolute path, or the URL of an object in a store."""
    member: str = ""
    """Of the archive that `base` is; empty where `base` is the scene."""

    def __str__(self) -> str:
        """For people, and for the tables: without the query of a URL, which may be a signature."""
        base = self.base.partition("?")[0] if "://" in self.base else self.base
        return f"{base}{WITHIN}{self.member}" if self.member else base


@dataclass(frozen=True, slots=True)
class Acquired:
    """When the picture was taken."""

    time: datetime
    """Aware, UTC; what has no zone is taken as UTC."""
    source: str
    """manifest, stac, tiff, exif or name."""

    def __post_init__(self) -> None:
        """Refuse a time without a zone: which one was meant is lost later on."""
        if self.time.utcoffset() is None:
            message = f"{self.time} has no time zone"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Entry:
    """One input."""

    place: Place
    name: str
    """Of the file, without folders: what its document says in "scene"."""
    terminal: str | None = None
    acquired: Acquired | None = None
    """From a manifest, STAC or the name; None lets the file say."""
    gsd_m: float | None = None
    """m/px, from a manifest or STAC; None lets the run's options or the file say."""
    size: int | None = None
    """Bytes; None where that is not known."""
    stamp: str | None = None
    """Another one whenever the bytes are others: time of change and size, or the store's ETag. None: nobody knows."""

    def __post_init__(self) -> None:
        """Check what manifests may have got wrong."""
        if self.gsd_m is not None and not GSD_M[0] <= self.gsd_m <= GSD_M[1]:
            cause = f"a GSD of {self.gsd_m} makes no sense"
            raise UsageError(self.place, cause, "give metres per pixel, as in 0.5")
