"""Object stores and HTTP servers: listed, looked at, and read by ranges. Needs obstore, as soon as it is asked."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

from edge.bulk.store_config import WEB, Address, Patience, connect
from edge.bulk.store_errors import StoreRefusal, StoreTrouble, trouble
from edge.bulk.store_file import StoreFile

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from obstore.store import ObjectStore

    from edge.bulk.ranged import Span

__all__ = ["Patience", "StoreFile", "StoreRefusal", "StoreTrouble", "Stores"]

_AT_ONCE = 8
"""Pieces, of all objects together."""
_MOST_STORES = 64
"""Kept open, with their connections."""
_PAGE = 1000
"""Objects in a page of a list; S3 has no larger ones."""


class Stores:
    """All stores that URLs lead to. Any thread may use it; it can be pickled, without what is open."""

    def __init__(self, config: Mapping[str, str] | None = None, patience: Patience | None = None) -> None:
        """Nothing is opened yet.

        Args:
            config: how to get at stores, by the names that are usual in the environment: AWS_ENDPOINT_URL, AWS_REGION,
                AWS_ACCESS_KEY_ID, AWS_SKIP_SIGNATURE and so on; others are left alone.
            patience: how long to wait for them.
        """
        self._config, self._patience = dict(config or {}), patience or Patience()
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._open = OrderedDict[tuple[str, str, bool], "ObjectStore"]()
        self._pool: ThreadPoolExecutor | None = None

    def list(self, url: str) -> Iterator[tuple[str, int, str | None]]:
        """All objects below a prefix: URL, bytes, ETag or None. See `edge.bulk.inputs_base.Listing`."""
        address, store = self.store(url)
        if address.scheme in WEB:
            cause = "is on a web server, which does not list its files"
            raise StoreRefusal(url, cause, "name the files, or give a manifest or a STAC catalogue that does")
        try:
            for page in store.list(address.path.rstrip("/") or None, chunk_size=_PAGE):
                for meta in page:
                    yield address.url(meta["path"]), meta["size"], meta["e_tag"]
        except Exception as error:
            raise trouble(url, error) from error

    def stat(self, url: str) -> tuple[int, str | None]:
        """Bytes and ETag of an object. See `edge.bulk.inputs_base.Listing`."""
        address, store = self.store(url)
        if address.scheme in WEB:  # what signs a URL may allow to GET, and not to look
            with closing(StoreFile(self, url)) as file:
                return file.size, file.etag
        try:
            meta = store.head(address.path)
        except Exception as error:
            raise trouble(url, error) from error
        return meta["size"], meta["e_tag"]

    def open(self, url: str) -> BinaryIO:
        """An object, seekable. See `edge.bulk.inputs_base.Listing`."""
        file = StoreFile(self, url)
        return file.open(at_end=file.close)

    def store(self, url: str, *, whole: bool = False) -> tuple[Address, ObjectStore]:
        """Where an object or a prefix is, and its store.

        Args:
            url: of it.
            whole: a whole object will be read, which may take longer than a part.

        Raises:
            UsageError: there is no such kind of store, or obstore is not installed.
        """
        address = Address.of(url)
        key = (address.scheme, address.root, whole)
        with self._lock:
            store = self._open.pop(key, None) or connect(address, self._config, self._patience, whole=whole)
            self._open[key] = store
            if len(self._open) > _MOST_STORES:
                self._open.popitem(last=False)
        return address, store

    def each(self, get: Callable[[Span], bytes], spans: Sequence[Span]) -> builtins.list[bytes]:
        """What a function gives for spans, several at a time."""
        if len(spans) == 1:
            return [get(spans[0])]
        with self._lock:
            self._pool = self._pool or ThreadPoolExecutor(_AT_ONCE, "store")
        return list(self._pool.map(get, spans))

    def close(self) -> None:
        """End the threads; whoever asks again begins anew."""
        with self._lock:
            pool, self._pool = self._pool, None
            self._open.clear()
        if pool:
            pool.shutdown()

    def __getstate__(self) -> dict[str, Any]:
        """The settings, without what is open."""
        return {"config": self._config, "patience": self._patience}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """As new."""
        self._config, self._patience = state["config"], state["patience"]
        self._begin()
