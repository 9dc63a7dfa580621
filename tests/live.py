"""A real server on a free port of loopback, in a thread of the test, with a toy model that answers at once."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn

from edge.detector import load_detector
from edge.server.app import create_app
from edge.server.core import Core
from edge.server.served import Served
from edge.server.settings import Settings
from tests.toy_model import model_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
