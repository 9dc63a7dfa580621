"""HTTP as bytes on a socket: for what no well-behaved client would send."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NOTHING = 0
"""Status of an answer that never came: the connection was closed."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    closed: bool
    """The server closed the connection after it."""

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document."""
        assert self.headers["content-type"] == "application/problem+json", self.headers["content-type"]
        found: dict[str, Any] = json.loads(self.body)
        assert found["status"] == self.status
        return found


@contextlib.contextmanager
def connection(port: int, timeout_s: float = 10) -> Iterator[socket.socket]:
    """A connection to a server of this machine."""
    with socket.create_connection(("127.0.0.1", port), timeout_s) as end:
        yield end


def answer(end: socket.socket, method: str = "GET") -> Answer:
    """The next answer on a connection; status NOTHING where it was closed instead."""
    response = http.client.HTTPResponse(end, method=method)
    try:
        response.begin()
        body = response.read()
    except (http.client.HTTPException, ConnectionError):
        return Answer(NOTHING, http.client.HTTPMessage(), b"", closed=True)
    return Answer(response.status, response.headers, body, response.will_close)


def ask(port: int, data: bytes | Iterable[bytes], method: str = "GET", timeout_s: float = 10) -> Answer:
    """Send bytes as they are, on a connection of their own; what comes back."""
    with connection(port, timeout_s) as end:
        with contextlib.suppress(ConnectionError):  # answered before all was sent
            for piece in [data] if isinstance(data, bytes) else data:
                end.sendall(piece)
        return answer(end, method)


def head(method: str, path: str, *headers: tuple[str, str] | str, host: str | None = "127.0.0.1") -> bytes:
    """The head of a request; headers as pairs or whole lines."""
    lines = [f"{method} {path} HTTP/1.1", *([f"Host: {host}"] if host is not None else [])]
    lines += [line if isinstance(line, str) else f"{line[0]}: {line[1]}" for line in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def form(*parts: tuple[str, bytes] | bytes, boundary: str = "b0undary") -> bytes:
    """A multipart body: each part as (what follows `Content-Disposition: form-data; `, content), or as it is."""
    whole = b""
    for part in parts:
        whole += b"--" + boundary.encode() + b"\r\n"
        if isinstance(part, bytes):
            whole += part + b"\r\n"
        else:
            whole += f"Content-Disposition: form-data; {part[0]}\r\n\r\n".encode() + part[1] + b"\r\n"
    return whole + b"--" + boundary.encode() + b"--\r\n"


FORM = ("Content-Type", "multipart/form-data; boundary=b0undary")
