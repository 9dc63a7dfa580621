"""A real server on a free port of loopback, in a thread of the test, with a toy model that answers at once; waiting."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import uvicorn

from edge.detector import load_detector
from edge.server import job_runner
from edge.server.app import create_app
from edge.server.core import Core
from edge.server.served import Served
from edge.server.settings import Settings
from tests.toy_model import model_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge.server.scoring import Work

T = TypeVar("T")
REAL_SCORE = job_runner.score_open


def wait_until(found: Callable[[], T | None], timeout_s: float = 20) -> T:
    """What a function finds, as soon as it finds something."""
    end = time.monotonic() + timeout_s
    while True:
        if result := found():
            return result
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.005)


def idle(core: Core) -> bool:
    """No request is let in, none runs, none has left anything behind."""
    folder = core.settings.state / "incoming"
    return not core.admission.px and not core.urgent.waiting and not (folder.is_dir() and list(folder.iterdir()))


class Gate:
    """Jobs wait at it, before their tiles, until it is opened or they are stopped: let `hold` be the `score_open`."""

    def __init__(self, done: int = 0, planned: int = 0) -> None:
        """Shut; jobs that wait have done so many tiles, by their own word, if any are planned."""
        self.reached, self.opened = threading.Event(), threading.Event()
        self._progress = done, planned

    def hold(self, scene: Any, options: Any, work: Work, *rest: Any) -> Any:  # noqa: ANN401 - those of score_open
        self.reached.set()
        assert work.stop
        if work.on_tile and self._progress[1]:
            work.on_tile(*self._progress)
        while not (self.opened.wait(0.01) or work.stop.is_set()):
            pass
        return REAL_SCORE(scene, options, work, *rest)


@contextmanager
def serving(folder: Path, model: Path | None = None, **settings: Any) -> Iterator[tuple[httpx.Client, Core]]:  # noqa: ANN401 - fields of Settings
    """A client of a server that keeps its state in `folder`, and the server's core.

    Args:
        folder: for the state, and for the toy model if no other is given.
        model: a model folder.
        settings: fields of Settings that are not as by default.
    """
    if model is None:
        model = folder / "toy"
        if not model.is_dir():
            model_folder(model, kinds=True)
    chosen = Settings(**{"state": folder / "state", "threads": 2, **settings})
    core = Core(chosen, Served(lambda: load_detector(model), lambda _: []))
    config = uvicorn.Config(create_app(core), host="127.0.0.1", port=0, log_config=None, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            yield client, core
    finally:
        server.should_exit = True
        thread.join(30)
