"""Just enough HTTP/1.1 to ask a server cheaply: requests as bytes made once, answers read for their head alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pathlib import Path

_END = b"\r\n\r\n"
_LONGEST_HEAD = 65_536
_FINAL = 200
"""Answers below it are interim: the real one follows. They have no body."""
_BOUNDARY = "tanker-edge-benchmark"
TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".tif": "image/tiff", ".json": "application/json"}


class NoAnswerError(Exception):
    """A request that got no answer; its message is the reason in a word."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a client has to know of an answer."""

    status: int
    length: int
    """Bytes of the body."""
    keep: bool
    """Whether the connection can be used again."""
    retry_after: float | None
    """Seconds."""


def parse_head(raw: bytes) -> Head:
    """The head of an answer, without the empty line that ends it.

    Raises:
        NoAnswerError: it is none, or does not say how long its body is.
    """
    first, *lines = raw.decode("latin-1").split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    parts = first.split(" ", 2)
    if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdigit():  # noqa: PLR2004 - version, status
        reason = "no HTTP"
        raise NoAnswerError(reason)
    status = int(parts[1])
    length = fields.get("content-length", "0" if status < _FINAL or status in {204, 304} else "")
    if not length.isdigit():
        reason = "no Content-Length"
        raise NoAnswerError(reason)
    wait = fields.get("retry-after", "")
    return Head(
        status,
        int(length),
        fields.get("connection", "").lower() != "close" and parts[0] == "HTTP/1.1",
        float(wait) if wait.isdigit() else None,
    )


def form(field: str, path: Path) -> tuple[bytes, str]:
    """A file as the only part of a form, and the form's content type."""
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{path.name}"\r\n'
    head += f"Content-Type: {TYPES.get(path.suffix, 'application/octet-stream')}\r\n\r\n"
    body = head.encode() + path.read_bytes() + f"\r\n--{_BOUNDARY}--\r\n".encode()
    return body, f"multipart/form-data; boundary={_BOUNDARY}"


def ask_bytes(target: str, path: Path | None = None, field: str | None = None, host: str = "127.0.0.1") -> bytes:
    """A whole request: GET without a file; POST with one, as it is or as a form's field."""
    if path is None:
        return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    raw, kind = form(field, path) if field else (path.read_bytes(), TYPES.get(path.suffix, "application/octet-stream"))
    head = f"POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nContent-Length: {len(raw)}\r\n\r\n"
    return head.encode() + raw


class Connection(asyncio.Protocol):
    """One connection that stays open; a request at a time."""

    def __init__(self) -> None:
        """Not connected yet."""
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Head] | None = None
        self._head: Head | None = None
        self._seen = b""
        self._missing = 0
        self.usable = True
        """Whether another request can be sent."""

    async def send(self, raw: bytes, patience_s: float) -> Head:
        """Send a request; the head of its answer, once all of it is there.

        Raises:
            NoAnswerError: none came in time, or the server closed the connection before.
        """
        loop = asyncio.get_running_loop()
        if self._transport is None or not self.usable:
            reason = "closed"
            raise NoAnswerError(reason)
        self._waiting, self._head, self._seen = loop.create_future(), None, b""
        expiry = loop.call_later(max(patience_s, 0.0), self._fail, "timeout")
        try:
            self._transport.write(raw)
            return await self._waiting
        finally:
            expiry.cancel()
            self._waiting = None

    def close(self) -> None:
        """Give it up."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio says that it is there."""
        self._transport = cast("asyncio.Transport", transport)  # what asyncio gives for a stream

    def data_received(self, data: bytes) -> None:
        """Asyncio gives what came: heads are read, bodies are counted."""
        if self._head is None:
            self._seen += data
            raw, end, rest = self._seen.partition(_END)
            if not end:
                if len(self._seen) > _LONGEST_HEAD:
                    self._fail("no HTTP")
                return
            try:
                head = parse_head(raw)
            except NoAnswerError as error:
                self._fail(str(error))
                return
            if head.status < _FINAL:
                self._seen = b""
                self.data_received(rest)
                return
            self._head, self._missing, data = head, head.length, rest
        self._missing -= len(data)
        if self._missing <= 0 and self._waiting is not None and not self._waiting.done():
            self.usable = self._head.keep
            if not self.usable:
                self.close()
            self._waiting.set_result(self._head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio says that it is gone."""
        _ = exc
        self._fail("closed")

    def _fail(self, reason: str) -> None:
        """Whoever waits gets no answer."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(NoAnswerError(reason))
        self.close()
