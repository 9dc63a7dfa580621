"""A server as a child process, watched while it runs."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.children import SideError
from benchmarks.common import ROOT
from benchmarks.watch import Watch, memory_mb, process_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from benchmarks.common import Document

PATIENCE_S = 120.0
"""For a server to be ready: libraries and networks load meanwhile."""
_GRACE_S = 40.0
_LOOK_S = 0.05
READY = re.compile(r'"event":\s*"ready"')


@dataclass(frozen=True, slots=True)
class Start:
    """How to start a server."""

    name: str
    command: Sequence[str]
    port: int | None = None
    """None where the server tells it in its ready line."""
    health: str = "/health"
    """What answers with 200 once it is ready, where the port is known."""
    env: Mapping[str, str] = field(default_factory=dict)


class Server:
    """A server in a process of its own."""

    def __init__(self, start: Start, log: Path) -> None:
        """Start it and wait until it is ready.

        Raises:
            SideError: it ended before, or took too long.
        """
        self.name, self.log = start.name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        with log.open("wb") as messages:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, or a peer in an environment that we made
                list(start.command),
                cwd=ROOT,
                env={**os.environ, **start.env},
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                start_new_session=True,
            )
        try:
            self.port = self._ready_line() if start.port is None else self._healthy(start.port, start.health)
        except BaseException:
            self._end()
            raise
        self.load_s = round(time.monotonic() - begun, 1)
        self.watch = Watch(self._process.pid)

    @property
    def pid(self) -> int:
        """Of the first process."""
        return self._process.pid

    def _ready_line(self) -> int:
        """The port that the server says."""

        def told() -> int | None:
            for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines():
                if READY.search(line):
                    return int(json.loads(line)["port"])
            return None

        return self._wait_for(told)

    def _healthy(self, port: int, target: str) -> int:
        """The port, once the server answers."""

        def told() -> int | None:
            try:
                return port if call(port, "GET", target)[0] == http.client.OK else None
            except OSError:
                return None

        return self._wait_for(told)

    def _wait_for(self, told: Callable[[], int | None]) -> int:
        """What a function tells, once it does."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if (value := told()) is not None:
                return value
            if self._process.poll() is not None:
                break
            time.sleep(_LOOK_S)
        said = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
        message = f"{self.name} was not ready (status {self._process.poll()}): {said[-1]}"
        raise SideError(message)

    def pss_mb(self) -> float:
        """Memory of all its processes, what they share counted once."""
        return sum(memory_mb(pid, "Pss", "smaps_rollup") for pid in process_tree(self.pid))

    def _end(self) -> None:
        """End it and all that it started."""
        pids = process_tree(self.pid)
        self._process.terminate()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in pids[1:]:  # what a peer left behind
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """Let it end."""
        self.watch.close()
        self._end()

    def __enter__(self) -> Server:  # noqa: PYI034 - Self is in typing from Python 3.11 on
        """Give the server itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.close()


def ours(state: Path, options: Sequence[str]) -> Start:
    """Our own server, as an operator starts it, on a free port and with an empty state."""
    shutil.rmtree(state, ignore_errors=True)
    command = [sys.executable, "-m", "edge.cli", "serve", "--port", "0", "--state", str(state), *options]
    return Start("ours", command)


def free_port() -> int:
    """One that is free now, for servers that must be told theirs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def call(port: int, method: str, target: str, body: object = None) -> tuple[int, Document]:
    """Ask a server for JSON and wait for it, for all that is not measured; status and document (empty without one).

    Args:
        port: of the server.
        method: GET, POST and so on.
        target: path and query.
        body: bytes and their content type, or what becomes JSON.

    Raises:
        OSError: there is no answer.
    """
    raw: Any = None
    headers = {}
    if isinstance(body, tuple):
        raw, headers["Content-Type"] = body
    elif body is not None:
        raw, headers["Content-Type"] = json.dumps(body), "application/json"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, target, raw, headers)
        answer = connection.getresponse()
        status, text = answer.status, answer.read()
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()
    return status, json.loads(text) if text.startswith(b"{") else {}
