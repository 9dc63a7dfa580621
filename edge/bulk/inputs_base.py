"""What all kinds of inputs share: options, endings, and how a file is come by, on disk or in a store."""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from edge.bulk.entry import Entry, Place
from edge.bulk.sidecars import sidecars
from edge.bulk.time_pattern import check_pattern
from edge.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

IMAGES = (".tif", ".tiff", ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MANIFESTS = (".csv", ".parquet")
STAC = (".json", ".geojson")
EXTRA = "pip install 'tanker-edge[bulk]'"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_WEB = ("http", "https")
"""Schemes whose URLs are percent-encoded and may have a query; in those of object stores ? and % are letters."""


class Listing(Protocol):
    """What a listing asks of the stores behind URLs; `edge.bulk.stores` has it for object stores and HTTP.

    URLs go in and come out as a user writes them, scheme included. Every method raises an InputError that names the
    URL, the cause and the mend where the store says no, and an OSError where it cannot be reached.
    """

    def list(self, url: str) -> Iterator[tuple[str, int, str | None]]:
        """All objects below a prefix, at any depth, in any order.

        Args:
            url: ends with "/".

        Yields:
            URL, bytes, and the ETag; None where the store has none.
        """

    def stat(self, url: str) -> tuple[int, str | None]:
        """Bytes of one object, and its ETag; None where the store has none."""

    def open(self, url: str) -> BinaryIO:
        """One object, seekable, from its start; only what is read of it is fetched, in pieces of a sensible size."""


@dataclass(frozen=True, slots=True)
class ListOptions:
    """How to list; checked when made."""

    terminal: str | None = None
    """Of all scenes of which no manifest and no STAC says another; None lets folders say."""
    time_pattern: str | None = None
    """Where file names hold the time: see `edge.bulk.times`; None looks for the usual forms."""

    def __post_init__(self) -> None:
        """Tell of a bad option before anything is listed."""
        if self.terminal is not None and not self.terminal.strip():
            raise UsageError("--terminal", "is empty", "give the name of a terminal, or leave it out")
        if self.time_pattern is not None:
            check_pattern(self.time_pattern)


@dataclass(frozen=True, slots=True)
class Found:
    """A file, on disk or in a store, as a listing finds it."""

    base: str
    """Absolute path, or URL."""
    size: int | None = None
    """Bytes; None where that is not known, as where it is missing."""
    stamp: str | None = None
    """See `Entry`."""

    @property
    def name(self) -> str:
        """Without folders."""
        return path_of(self.base).rpartition("/")[2] or self.base

    @property
    def folder(self) -> str | None:
        """Name of the folder, bucket or host that it lies in; None in the root of all folders."""
        return path_of(self.base).rpartition("/")[0].rpartition("/")[2] or host_of(self.base)

    def entry(self, terminal: str | None) -> Entry:
        """As a scene."""
        return Entry(Place(self.base), self.name, terminal, size=self.size, stamp=self.stamp)


@dataclass(frozen=True, slots=True)
class Means:
    """With what, and how, to list."""

    options: ListOptions
    stores: Listing | None = None

    def open(self, base: str) -> BinaryIO:
        """The bytes of a file, seekable.

        Raises:
            OSError: it cannot be read.
            InputError: its store says no.
            UsageError: it is in a store, and there are none.
        """
        return self.store(base).open(base) if is_url(base) else open(base, "rb")  # noqa: PTH123

    def find(self, base: str) -> Found:
        """A file that is there; raises as `open` does."""
        if is_url(base):
            return Found(base, *self.store(base).stat(base))
        stat = os.stat(base)  # noqa: PTH116 - paths stay texts: there may be a million
        beside = [os.stat(path).st_mtime_ns for path in sidecars(base)]  # noqa: PTH116
        return Found(base, stat.st_size, "-".join(map(str, (stat.st_mtime_ns, stat.st_size, *beside))))

    def find_any(self, path: str) -> Found:
        """A file on disk that may be missing: the run tells of it, and goes on."""
        try:
            return self.find(path)
        except OSError:
            return Found(path)

    def store(self, url: str) -> Listing:
        """Where URLs lead.

        Raises:
            UsageError: there are no stores.
        """
        if self.stores is None:
            raise UsageError(url, "is in a store, and nothing here reaches stores", EXTRA)
        return self.stores


def is_url(word: str) -> bool:
    """Whether a word names something in a store; file:// does not."""
    return bool(_URL.match(word)) and not word.lower().startswith("file://")


def local_of(word: str) -> str:
    """A word without file://."""
    return url2pathname(urlsplit(word).path) if word.lower().startswith("file://") else word


def path_of(base: str) -> str:
    """The path, decoded, of a URL in its store; "/" first. Paths stay as they are."""
    if not is_url(base):
        return base
    scheme, _, rest = base.partition("://")
    path = unquote(urlsplit(base).path) if scheme.lower() in _WEB else rest.partition("/")[2]
    return f"/{path.lstrip('/')}"


def host_of(base: str) -> str | None:
    """The bucket or host of a URL; None for a path."""
    return urlsplit(base).hostname if is_url(base) else None


def joined(base: str, reference: str) -> str:
    """What a manifest or STAC document at `base` means by a path or URL, relative or not."""
    reference = local_of(reference)
    if is_url(reference):
        return reference
    if not is_url(base):
        return os.path.abspath(os.path.join(os.path.dirname(base), reference))  # noqa: PTH100, PTH118, PTH120
    scheme, _, rest = base.partition("://")
    host, _, path = (rest.partition("?")[0] if scheme.lower() in _WEB else rest).partition("/")
    return f"{scheme}://{host}{posixpath.normpath(posixpath.join('/', posixpath.dirname(path), reference))}"


def is_image(name: str) -> bool:
    """Whether it ends as images do."""
    return name.lower().endswith(IMAGES)


def is_archive(name: str) -> bool:
    """Whether it ends as archives do."""
    return name.lower().endswith(ARCHIVES)


def is_hidden(parts: Sequence[str]) -> bool:
    """Whether one of the parts of a path is hidden, or what macOS adds to archives."""
    return any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in parts)


def unreadable(subject: object, error: OSError) -> InputError:
    """What cannot be read."""
    return InputError(subject, f"cannot be read ({error.strerror or error})", "check that it is there and may be read")
