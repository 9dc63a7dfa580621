"""One object of a store as a scene, an archive or a manifest: its bytes come by ranges, as they are asked for."""

from __future__ import annotations

import hashlib
import re
import threading
from typing import TYPE_CHECKING, cast

from edge.bulk.ranged import MOST_AHEAD, UNIT, Cache, Reader
from edge.bulk.store_config import Address
from edge.bulk.store_errors import changed, status_of, trouble
from edge.scene_copy import copied
from edge.scene_file import FileTrouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from obstore import GetResult, ObjectMeta
    from obstore.store import ObjectStore

    from edge.bulk.ranged import Span
    from edge.bulk.stores import Stores
    from edge.scene_copy import Copy

    Check = Callable[[object, bytes, int], None]
    """Looks at the first bytes of a file and at its length; raises where it is not to be copied, and names it."""

FIRST = 4 * UNIT
"""Bytes of the first request: all of a small scene, the directories of a large one."""
_PIECE = MOST_AHEAD // 4
"""Longer spans are fetched in pieces, side by side."""
_NOTHING = 416
"""How HTTP says that there is nothing in a range; all ranges of an empty object are so."""


_OF_BYTES = re.compile(r"[0-9a-f]{32}(-[0-9]+)?")
"""An ETag that is an MD5, or one of the MD5s of parts."""


class StoreFile:
    """An object, as `edge.scene_file.SceneFile` has it. Threads may share it.

    Its first use asks for its first bytes. A web server that gives no parts of files is read whole then, to a copy.
    """

    ranged = True

    def __init__(self, stores: Stores, url: str, name: str = "", check: Check | None = None) -> None:
        """Nothing is asked yet.

        Args:
            stores: where it is.
            url: of it.
            name: of the scene; the last part of the URL by default.
            check: is asked before a copy is made.
        """
        self._stores, self.url, self._check = stores, url, check
        self.name = name or Address.of(url).path.rpartition("/")[2] or url
        self.trouble: OSError | None = None
        """See SceneFile; the first one is kept."""
        self._lock = threading.Lock()
        self._begun: tuple[ObjectMeta, Cache] | None = None
        self._copy: Copy | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return self._begin()[0]["size"]

    @property
    def etag(self) -> str | None:
        """What the store tells bytes apart by; None where it does not."""
        return self._begin()[0]["e_tag"]

    def mark(self) -> str:
        """Another one when the bytes are others: the ETag and length.

        S3's ETags are hashes of the bytes, or of hashes of their parts; wherever such an object lies, it is the same.
        Others' are unique at one URL only (RFC 9110, section 8.8.3): the URL, without its query, is in the mark too.
        Where a store has no ETags, the time of the last change must do.
        """
        meta = self._begin()[0]
        tag = meta["e_tag"] or meta["last_modified"].isoformat()
        hashed = self.url.lower().startswith("s3://") and _OF_BYTES.fullmatch(tag.strip('"'))
        told = [tag] if hashed else [tag, self.url.partition("?")[0]]
        return "\n".join([*told, str(meta["size"])])

    def fingerprint(self) -> str:
        """For the ledger: a hash of the mark; nothing is fetched for it."""
        return f"etag:{hashlib.sha256(self.mark().encode()).hexdigest()}"

    def local(self) -> Path | None:
        """The copy, where there had to be one."""
        self._begin()
        return self._copy.path if self._copy else None

    def open(self, at_end: Callable[[], None] | None = None) -> BinaryIO:
        """The bytes; when they are closed, `at_end` is called.

        Raises:
            OSError: they cannot be had.
        """
        _, cache = self._begin()
        return cast("BinaryIO", Reader(cache.size, cache.read, at_end))

    def fetch(self, spans: Sequence[Span]) -> list[bytes]:
        """The bytes of spans, straight from the store.

        Raises:
            FileTrouble: they cannot be had, or are those of another object by now.
        """
        self._begin()
        if self._copy:
            return [_read(self._copy.path, span) for span in spans]
        pieces = [_pieces(span) for span in spans]
        got: Iterator[bytes] = iter(self._stores.each(self._get, [piece for span in pieces for piece in span]))
        return [b"".join(next(got) for _ in span) for span in pieces]

    def close(self) -> None:
        """Let go of the copy; a second call does nothing."""
        with self._lock:
            copy, self._copy, self._begun = self._copy, None, None
        if copy:
            copy.close()

    def __str__(self) -> str:
        """The URL."""
        return self.url

    def _begin(self) -> tuple[ObjectMeta, Cache]:
        """What the store says of the object, and its bytes."""
        with self._lock:
            if self._begun is None:
                try:
                    self._begun = self._first()
                except OSError as error:
                    self.trouble = self.trouble or error
                    raise
            return self._begun

    def _first(self) -> tuple[ObjectMeta, Cache]:
        """Ask for the first bytes; where that is not possible, for all."""
        address, store = self._stores.store(self.url)
        try:
            result = store.get(address.path, options={"range": (0, FIRST)})
            return result.meta, Cache(result.meta["size"], self.fetch, bytes(result.bytes()))
        except Exception as error:
            if type(error).__name__ == "NotSupportedError":
                return self._whole()
            if status_of(error) != _NOTHING:
                raise trouble(self.url, error) from error
        try:
            return (meta := store.head(address.path)), Cache(meta["size"], self.fetch)
        except Exception as error:
            raise trouble(self.url, error) from error

    def _whole(self) -> tuple[ObjectMeta, Cache]:
        """Copy an object of which no parts can be had."""
        address, store = self._stores.store(self.url, whole=True)
        try:
            result = store.get(address.path)
        except Exception as error:
            raise trouble(self.url, error) from error
        meta = result.meta
        stream = _Stream(self.url, result)
        head = stream.read(_PIECE)
        if self._check:
            self._check(self.url, head, meta["size"])
        self._copy = copied(cast("BinaryIO", stream), meta["size"], self.url, head)
        return meta, Cache(meta["size"], self.fetch)

    def _get(self, span: Span) -> bytes:
        """One range."""
        address, store = self._stores.store(self.url)
        try:
            return self._same(store, address.path, span)
        except FileTrouble as error:
            self.trouble = self.trouble or error
            raise

    def _same(self, store: ObjectStore, path: str, span: Span) -> bytes:
        """One range, of the object that was opened."""
        try:
            result = store.get(path, options={"range": span})
            meta, data = result.meta, bytes(result.bytes())
        except Exception as error:
            raise (changed(self.url) if status_of(error) == _NOTHING else trouble(self.url, error)) from error
        if _identity(meta) != _identity(self._begin()[0]) or len(data) != span[1] - span[0]:
            raise changed(self.url)
        return data


class _Stream:
    """All bytes of an object, from first to last."""

    def __init__(self, url: str, result: GetResult) -> None:
        self._url, self._pieces = url, self._told(iter(result.stream(_PIECE)))

    def _told(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        try:
            for piece in pieces:
                yield bytes(piece)
        except Exception as error:
            raise trouble(self._url, error) from error

    def read(self, _: int) -> bytes:
        """The next piece; empty at the end."""
        return next(self._pieces, b"")


def _identity(meta: ObjectMeta) -> tuple[object, ...]:
    """What tells whether an object is the same still."""
    return meta["size"], meta["e_tag"] or meta["last_modified"]


def _pieces(span: Span) -> list[Span]:
    """A span in parts that are fetched side by side."""
    start, stop = span
    return [(at, min(at + _PIECE, stop)) for at in range(start, stop, _PIECE)]


def _read(path: Path, span: Span) -> bytes:
    """A part of a copy."""
    with path.open("rb", buffering=0) as file:
        file.seek(span[0])
        return file.read(span[1] - span[0]) or b""
