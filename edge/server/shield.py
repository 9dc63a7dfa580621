"""What every answer has: headers that keep browsers from misusing it, and an end that leaves no body half read.

A request that is answered before its body has been read (refused, mostly) leaves the rest of it on the connection. A
short rest is read and thrown away; after a long one the connection is closed. It stays open for a while after the
answer, in which the rest is thrown away: a client that is cut off while it sends may never read why.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer; a route's own Content-Security-Policy stays."""
DATA = ("/v1", "/v2", "/metrics")
"""Paths whose answers no cache may keep, unless the route says otherwise."""
SMALL_BYTES, SMALL_S = 256 * 2**10, 0.25
"""A rest of a body that is read, so that the connection can go on."""
LINGER_S, SILENCE_S = 5.0, 1.0
"""How long a client may still send after it was answered, if it goes on without such a pause; as much as it likes."""


class Shield:
    """ASGI middleware, outside all others."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                await body.skip(SMALL_S, SMALL_BYTES)
                _head(scope, message, close=not body.ended)
            elif message["type"] == "http.response.body" and not message.get("more_body") and not body.ended:
                await send({**message, "more_body": True})
                await body.skip(LINGER_S)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app(scope, body.receive, sending)


class _Body:
    """The body of a request, as far as it has been read."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0").strip()
        self._receive = receive
        self._left = int(length) if length.isascii() and length.isdigit() else None
        if "transfer-encoding" in headers:
            self._left = None
        self._waits = headers.get("expect", "").lower() == "100-continue"
        """The client sends nothing before it is told to, which `receive` does."""
        self.ended = self._left == 0
        """Nothing more comes."""

    async def receive(self) -> Message:
        """The next message."""
        self._waits = False
        message = await self._receive()
        if message["type"] != "http.request" or not message.get("more_body"):
            self.ended = True
        if self._left is not None:
            self._left -= len(message.get("body", b""))
        return message

    async def skip(self, most_s: float, most_bytes: float = math.inf) -> None:
        """Read the rest and forget it, if it is not more than that, for so long, s, or until nothing comes."""
        if self._waits or (self._left or 0) > most_bytes:
            return
        end = time.monotonic() + most_s
        while not self.ended and most_bytes >= 0:
            try:
                message = await asyncio.wait_for(self.receive(), min(end - time.monotonic(), SILENCE_S))
            except asyncio.TimeoutError:
                return
            most_bytes -= len(message.get("body", b""))


def _head(scope: Scope, message: Message, *, close: bool) -> None:
    """Give the head of an answer its headers."""
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    if scope["path"].startswith(DATA):
        headers.setdefault("Cache-Control", "no-store")
    if close:
        headers["Connection"] = "close"
