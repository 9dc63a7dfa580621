"""Real servers on loopback that hold objects: one that speaks S3 (moto's), and one that speaks plain HTTP.

Both count requests and bytes. A test takes the fixtures `s3` and `web` by importing them.
"""

from __future__ import annotations

import hashlib
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit
from urllib.request import Request, urlopen

import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from edge.bulk.stores import Patience, Stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

HASTY = Patience(timeout_s=1.0, connect_s=1.0, retry_s=1.0, retries=2, first_wait_s=0.01, longest_wait_s=0.05)
"""For servers that fail on purpose."""
PATIENT = Patience(timeout_s=20.0, retry_s=20.0, first_wait_s=0.01)
"""For a machine that is busy with other tests."""
_LONG_AGO = "Mon, 01 Jan 2024 00:00:00 GMT"


@dataclass
class Traffic:
    """What a server was asked for objects, and what it gave; set back by `clear`."""

    gets: list[str] = field(default_factory=list)
    """Path and range of each GET, as in "/scene.tif bytes=0-99"."""
    sent: int = 0
    """Bytes of objects."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, path: str, span: str | None, size: int) -> None:
        with self._lock:
            self.gets.append(f"{path} {span or 'whole'}")
            self.sent += size

    def clear(self) -> None:
        with self._lock:
            self.gets, self.sent = [], 0


class S3:
    """A bucket of an object store."""

    BUCKET = "archive"

    def __init__(self, endpoint: str, traffic: Traffic) -> None:
        self.traffic = traffic
        self.config = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        """What a command finds in its environment."""
        self._endpoint = endpoint
        self._ask("PUT", "")

    def stores(self, patience: Patience = PATIENT) -> Stores:
        return Stores(self.config, patience)

    def put(self, key: str, data: bytes) -> str:
        """The URL of a new object."""
        self._ask("PUT", f"/{quote(key)}", data)
        return f"s3://{self.BUCKET}/{key}"

    def delete(self, key: str) -> None:
        self.stores().store(f"s3://{self.BUCKET}/{key}")[1].delete(key)

    def _ask(self, method: str, path: str, data: bytes | None = None) -> None:
        kind = {"Content-Type": "application/octet-stream"}  # moto would read a form's body twice, and wait for it
        request = Request(f"{self._endpoint}/{self.BUCKET}{path}", data, kind, method=method)  # noqa: S310 - loopback
        with urlopen(request) as answer:  # noqa: S310 - loopback
            answer.read()


class _Counted:
    """A WSGI application, whose answers to GET are counted."""

    def __init__(self, app: Any, traffic: Traffic) -> None:  # noqa: ANN401 - of werkzeug
        self._app, self._traffic = app, traffic

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:  # noqa: ANN401
            length = int(dict(headers).get("Content-Length", dict(headers).get("content-length", 0)))
            if environ["REQUEST_METHOD"] == "GET" and "list-type" not in environ.get("QUERY_STRING", ""):
                self._traffic.add(environ["PATH_INFO"], environ.get("HTTP_RANGE"), length)
            return start_response(status, headers, *rest)

        answer: Iterable[bytes] = self._app(environ, start)
        return answer


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:  # noqa: ANN401
        pass


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    """One for all tests of a process: it takes a second to start."""
    traffic = Traffic()
    app = _Counted(DomainDispatcherApplication(create_backend_app), traffic)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield S3(f"http://127.0.0.1:{server.server_port}", traffic)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def s3(s3_server: S3) -> S3:
    """A bucket that holds what earlier tests have left; its traffic begins at nothing."""
    s3_server.traffic.clear()
    return s3_server


@dataclass
class Web:
    """A web server, and how it behaves at the moment."""

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    """By path, as in "/a/scene.tif"."""
    traffic: Traffic = field(default_factory=Traffic)
    ranges: bool = True
    """It gives parts of files."""
    tags: bool = True
    """It has ETags."""
    status: int = 0
    """All GETs are answered by it; 0 for what is there."""
    failing: int = 0
    """So many of the next GETs are answered by 503."""
    silent: threading.Event | None = None
    """No GET is answered before it is set."""
    cutting: int = 0
    """So many of the next GETs are answered by the first half of what they ask for."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stores(self, patience: Patience = PATIENT, **config: str) -> Stores:
        return Stores(config, patience)

    def put(self, path: str, data: bytes) -> str:
        """The URL of a new file."""
        self.files[path] = data
        return self.url(path)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{quote(path)}"

    def takes(self, counter: str) -> bool:
        """Whether one is left of what is to go wrong."""
        with self._lock:
            left = getattr(self, counter)
            setattr(self, counter, max(left - 1, 0))
        return bool(left)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: Web

    def log_message(self, *_: Any) -> None:  # noqa: ANN401
        pass

    def do_HEAD(self) -> None:
        self._answer(200, self.web.files.get(unquote(urlsplit(self.path).path), b""), {})

    def do_GET(self) -> None:
        web = self.web
        path, span = unquote(urlsplit(self.path).path), self.headers.get("Range")
        if web.silent:
            web.silent.wait()
        data = web.files.get(path)
        status = web.status or (503 if web.takes("failing") else 200 if data is not None else 404)
        if status != 200 or data is None:
            web.traffic.add(self.path, span, 0)
            self._answer(status, b"", {})
            return
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()[:16]}"'} if web.tags else {}
        if span and web.ranges:
            first, last = (int(n) for n in re.fullmatch(r"bytes=(\d+)-(\d+)", span).groups())  # type: ignore[union-attr]
            if first >= len(data):
                self._answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
                return
            last = min(last, len(data) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            status, data = 206, data[first : last + 1]
        web.traffic.add(self.path, span, len(data))
        self._answer(status, data, headers)

    def _answer(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), "Last-Modified": _LONG_AGO, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if data and self.web.takes("cutting"):
            data = data[: len(data) // 2]
            self.close_connection = True
        try:
            self.wfile.write(data)
        except ConnectionError:  # whoever asked has lost patience
            self.close_connection = True


@contextmanager
def serving_files() -> Iterator[Web]:
    """A web server on a free port; it dies at the end of the block."""
    web = Web()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"web": web}))
    server.daemon_threads = True
    web.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        if web.silent:
            web.silent.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving_files() as started:
        yield started
