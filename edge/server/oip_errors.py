"""Errors as the Open Inference Protocol has them: every problem under /v2 also has the key `error`.

In front of the whole application, so that the answers of guards, of routes that there are not and of failures have it
too: clients of the protocol read nothing else.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import Field
from starlette.datastructures import Headers, MutableHeaders

from edge.server.problems import MEDIA_TYPE, Problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class InferenceProblem(Problem):
    """Why a request of the Open Inference Protocol was not answered: a problem with one more key."""

    error: str = Field(description="detail and mend in a sentence, as the protocol has it")


class ProtocolErrors:
    """ASGI middleware; outside all but the shield."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path == "/v2" or path.startswith("/v2/")):
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def sending(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_problem(message):
                start = message
            elif start is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    await _send_with_error(start, body, send)

        await self._app(scope, receive, sending)


def _is_problem(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type") == MEDIA_TYPE


async def _send_with_error(start: Message, body: bytes, send: Send) -> None:
    """Send a problem, completed."""
    if body:  # else it answers a HEAD
        told = json.loads(body)
        told["error"] = "; ".join(told[key] for key in ("detail", "mend") if told.get(key))
        body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
        MutableHeaders(raw=start["headers"])["content-length"] = str(len(body))
    await send(start)
    await send({"type": "http.response.body", "body": body})
