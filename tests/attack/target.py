"""An authenticated deployment to be attacked: the server in a process of its own, and what it must not give away."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.far import Far, far, give, send_on
from tests.process import Process, process
from tests.toy_model import scene_file
from tests.wire import NOTHING, Answer, ask, head

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "k9-Zr4tq0b7Xw2sVd5Lm8Pf1"  # noqa: S105 - of this deployment only
CANARY = "c4n4ry-in-the-environment"
SECRET = b"s3cret-outside-of-the-root"
SILENCE_S = 2
ENDED = {"done", "failed", "cancelled"}


@dataclass
class Target:
    """The server, and the words in which to speak to it."""

    server: Process
    port: int
    folder: Path
    root: Path
    """The one folder whose files jobs may name."""
    far: Far
    """The one machine that jobs may fetch from, and there only from /tiles/."""
    inner: Far
    """A machine that nobody may reach through the server."""

    def ask(
        self, method: str, path: str, *headers: tuple[str, str] | str, body: bytes = b"", token: str | None = TOKEN
    ) -> Answer:
        """A request like any other, but for its headers."""
        more: list[tuple[str, str] | str] = [("Authorization", f"Bearer {token}")] if token else []
        if body or method in {"POST", "PUT", "PATCH"}:
            more.append(("Content-Length", str(len(body))))
        whole = head(method, path, *more, *headers, host=f"127.0.0.1:{self.port}") + body
        return ask(self.port, whole, method, 30)

    def send(self, data: bytes | Iterable[bytes], method: str = "GET") -> Answer:
        """Bytes as they are, on a connection of their own."""
        return ask(self.port, data, method, 30)

    def json(self, method: str, path: str, told: object) -> Answer:
        """A body of JSON."""
        return self.ask(method, path, ("Content-Type", "application/json"), body=json.dumps(told).encode())

    def count(self, body: bytes, query: str = "") -> Answer:
        """A scene, counted in the request."""
        return self.ask("POST", f"/v1/count{query}", body=body)

    def job(self, told: object) -> Answer:
        """A job named by words: what the server said to it, or, if it took the job, how that ended."""
        return self.ended(self.json("POST", "/v1/jobs", told))

    def ended(self, taken: Answer) -> Answer:
        """How a job ended that was taken; as an answer, whose status is that of the problem."""
        if taken.status != http.client.ACCEPTED:
            return taken
        until = time.monotonic() + 20
        while time.monotonic() < until:
            now = self.ask("GET", f"/v1/jobs/{json.loads(taken.body)['id']}")
            job = json.loads(now.body)
            if job["state"] in ENDED:
                status = job["error"]["status"] if job["error"] else now.status
                return Answer(status, now.headers, now.body, now.closed)
            time.sleep(0.02)
        return Answer(NOTHING, taken.headers, b"the job does not end", closed=False)

    def secrets(self) -> list[bytes]:
        """What no answer may contain: keys, files that are nobody's business, where the server keeps its own."""
        known = [SECRET, TOKEN.encode(), CANARY.encode(), str(self.folder).encode(), str(Path.home()).encode() + b"/."]
        return [*known, b"root:x:0", b"Traceback", b"/site-packages/"]

    def memory(self) -> int:
        """The most memory that the server has had, bytes."""
        for line in Path(f"/proc/{self.server.popen.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0


def tree(folder: Path) -> set[str]:
    """What lies in a folder, besides the server's own state."""
    found = (path.relative_to(folder) for path in folder.rglob("*"))
    return {str(path) for path in found if path.parts[0] != "state"}


@contextmanager
def deployment(folder: Path) -> Iterator[Target]:
    """A server with a token, one folder and one machine that jobs may name."""
    root = folder / "scenes"
    root.mkdir()
    scene = scene_file(root / "port.png").read_bytes()
    (folder / "secret.png").write_bytes(SECRET + scene)
    (root / "out.png").symlink_to(folder / "secret.png")
    (root / "up").symlink_to(folder)
    (folder / "token").write_text(TOKEN)
    (folder / "token").chmod(0o600)
    answers: dict[str, Any] = {"/tiles/port.png": give(scene), "/secret": give(SECRET)}
    with far({"/secret": give(SECRET + scene), "/tiles/a": give(SECRET)}) as inner, far(answers) as outer:
        answers |= _redirects(inner)
        options = [
            "--token-file", str(folder / "token"), "--allow-path", str(root), "--allow-url", f"{outer.url}/tiles/",
            "--allow-url", f"http://localhost:{inner.server_port}/", "--body-timeout", str(SILENCE_S),
        ]  # fmt: skip
        with process(folder, *options, env={"TANKER_EDGE_CANARY": CANARY}) as server:
            port = int(server.wait_for("ready")["port"])
            yield Target(server, port, folder, root, outer, inner)


def _redirects(inner: Far) -> dict[str, Any]:
    """Pages of the allowed machine that lead elsewhere."""
    places = [
        "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", f"{inner.url}/secret", "/secret",
        "../secret", f"//127.0.0.1:{inner.server_port}/secret", "gopher://127.0.0.1:6379/_FLUSHALL", "round",
    ]  # fmt: skip
    return {f"/tiles/{name}": send_on(place) for name, place in zip([*"0123456", "round"], places, strict=True)}


Attack = Callable[[Target], "Answer | Iterable[Answer]"]
