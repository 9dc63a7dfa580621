"""Round every request: its id, its line in the log, its count in the metrics, and an answer where something broke.

Also the door that closes at the end: from a moment on no new work is taken, while what runs may end.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from edge.logs import request_id
from edge.server.problems import HttpError, problem, respond, stopping

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from edge.server.core import Core

LOG = logging.getLogger(__name__)
NAME = "x-request-id"
GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""An id of a client that is taken over."""
WORK = frozenset({"POST", "PUT", "PATCH"})
"""Methods that bring new work."""
QUIET = ("/metrics", "/v2/health/")
"""Routes that machines ask every few seconds; their lines are only for those who debug."""
UNMATCHED = "unmatched"
CLIENT_CLOSED_REQUEST = 499
"""No status of HTTP; servers write it into their logs where the client has left (nginx began it)."""


@dataclass(slots=True)
class _Seen:
    """One request, as it goes by."""

    scope: Scope
    id: str
    begun: float = field(default_factory=time.perf_counter)
    status: int | None = None
    received: int = 0
    """Bytes of the body."""
    sent: int = 0
    """Bytes of the answer's body."""
    streams: bool = False
    """It is answered by events."""

    @property
    def route(self) -> str:
        """The template that the path fits, such as /v1/jobs/{id}."""
        path = getattr(self.scope.get("route"), "path", None)
        return str(path) if path else UNMATCHED


class Observe:
    """ASGI middleware; outside all but the shield and the protocol's errors."""

    def __init__(self, app: ASGIApp, core: Core) -> None:
        """Wrap an application."""
        self._app, self._core = app, core

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = Headers(scope=scope).get(NAME, "")
        seen = _Seen(scope, told if GIVEN.fullmatch(told) else secrets.token_hex(8))
        scope.setdefault("state", {})["request_id"] = seen.id
        mark = request_id.set(seen.id)
        self._core.life.requests += 1
        try:
            await self._answer(seen, receive, send)
        finally:
            self._done(seen)
            request_id.reset(mark)

    async def _answer(self, seen: _Seen, receive: Receive, send: Send) -> None:
        """Hand it on, counting what goes in and out."""

        async def receiving() -> Message:
            message = await receive()
            seen.received += len(message.get("body", b""))
            return message

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._head(seen, message)
            else:
                seen.sent += len(message.get("body", b""))
            await send(message)

        if self._core.life.draining and seen.scope["method"] in WORK:
            await self._refuse(seen, receiving, sending)
            return
        try:
            await self._app(seen.scope, receiving, sending)
        except Exception:
            LOG.exception("unhandled", extra={"fields": {"route": seen.route}})
            if seen.status is None:
                broken = HttpError(500, "something broke in the server", f"report it, with the request id {seen.id}")
                await respond(problem(broken, seen.id))(seen.scope, receiving, sending)
            # Else the answer ends in its middle, and uvicorn closes the connection.

    async def _refuse(self, seen: _Seen, receive: Receive, send: Send) -> None:
        """New work at the end: none is taken."""
        told = stopping()
        await respond(problem(told, seen.id), told.headers)(seen.scope, receive, send)

    def _head(self, seen: _Seen, message: Message) -> None:
        """An answer begins: give it its headers."""
        seen.status = message["status"]
        headers = MutableHeaders(scope=message)
        headers[NAME] = seen.id
        life = self._core.life
        if life.draining:
            headers["connection"] = "close"
        if headers.get("content-type", "").startswith("text/event-stream"):
            seen.streams = True
            life.requests -= 1
            life.streams += 1

    def _done(self, seen: _Seen) -> None:
        """Count it, and write its line."""
        life, scope = self._core.life, seen.scope
        if seen.streams:
            life.streams -= 1
        else:
            life.requests -= 1
        seconds, status = time.perf_counter() - seen.begun, seen.status or CLIENT_CLOSED_REQUEST
        self._core.metrics.answered(seen.route, scope["method"], status, seconds)
        fields = {
            "method": scope["method"],
            "route": seen.route,
            "path": scope["path"],  # without the query, which names files and areas
            "status": status,
            "seconds": round(seconds, 4),
            "bytes_in": seen.received,
            "bytes_out": seen.sent,
            "client": (scope.get("client") or ("",))[0],
        }
        LOG.log(_level(seen.route, status), "request", extra={"fields": fields})


def _level(route: str, status: int) -> int:
    """How much a request's line matters."""
    if route.startswith(QUIET):
        return logging.DEBUG
    if status >= 500:  # noqa: PLR2004 - the server's own failures begin here
        return logging.WARNING if status == 503 else logging.ERROR  # noqa: PLR2004 - full, or stopping
    return logging.INFO
