"""Another machine, which a server under test fetches from: paths, and what is answered there."""

from __future__ import annotations

import http.server
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Far(http.server.ThreadingHTTPServer):
    """The other side: paths and what they do; and what it was asked for."""

    daemon_threads = True

    def __init__(self, answers: dict[str, Any]) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), partial(_Handler, answers, self.asked))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base class has it
        """Its clients leave early: that is what is tested."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, answers: dict[str, Any], asked: list[str], *rest: Any) -> None:  # noqa: ANN401 - as above
        self.answers, self.asked = answers, asked
        super().__init__(*rest)

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.answers[self.path.partition("?")[0]](self)

    def log_message(self, *_: object) -> None:
        pass


def give(body: bytes, status: int = 200, **headers: str) -> Any:  # noqa: ANN401 - a call of the handler
    """Answer with a body and headers; `_` in their names stands for -; Content_Length="" leaves it out."""

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            if value:
                handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return answer


def send_on(to: str) -> Any:  # noqa: ANN401 - a call of the handler
    return give(b"", 302, Location=to)


@contextmanager
def far(answers: dict[str, Any]) -> Iterator[Far]:
    with Far(answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
