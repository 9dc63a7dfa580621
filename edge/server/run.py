"""One run of the server: its start, its end in steps, and another model on the way.

SIGTERM and SIGINT end it: readiness says no, requests are still taken for a while (`lame_duck_s`), then no new work is,
what runs may end (`grace_s`), what is left is stopped. A second signal ends it at once. SIGHUP loads the model again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import uvicorn

from edge import __version__
from edge.server.app import create_app
from edge.server.core import Core
from edge.server.listen import listen
from edge.server.notify import Notify
from edge.server.protocol import Protocol, allow_many_files
from edge.server.reload import aside, reload, verify_patiently
from edge.server.served import Served
from edge.server.state import held
from edge.server.tracing import trace

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator
    from concurrent.futures import Future

    from fastapi import FastAPI

    from edge.detector import Detector
    from edge.server.settings import Settings

LOG = logging.getLogger(__name__)
LOOK_S = 0.02
"""Between looks whether what runs has ended."""
LEAVE_S = 5
"""For answers that are on their way when all work has been stopped; event streams end in it too."""
AT_ONCE_S = 2.0
"""After a second signal the process is gone by then, whatever its threads do."""
KEEP_ALIVE_S = 30
"""Idle connections are closed after it; clients that come again sooner save the handshake."""
BACKLOG = 512
LARGEST_HEAD = 32 * 1024
"""Bytes of a request's line and headers."""


def serve(settings: Settings, load: Callable[[], Detector]) -> None:
    """Serve until a signal ends it.

    Args:
        settings: how.
        load: loads the model as it is on disk; called again at each SIGHUP.

    Raises:
        UsageError: the port or the state folder is not to be had.
        ModelError: the model is not whole.
        ProviderError: it does not run.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the loop has its own handlers
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        LOG.warning("runs_as_root", extra={"fields": {"mend": "run it as a plain user"}})
    allow_many_files()
    with held(settings.state), contextlib.closing(listen(settings.host, settings.port)) as bound:
        core = Core(settings, Served(load, verify_patiently))
        app = create_app(core)
        end_tracing = trace(app, core)
        run = Run(app, bound, Notify.from_environment())
        try:
            run.go()
        finally:
            core.close()
            end_tracing()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            LOG.info("ended")
    if run.reloading:  # the interpreter's end would pull the runtime from under a thread that is loading a model
        os._exit(0)


class Run(uvicorn.Server):
    """Uvicorn, started and ended our way."""

    def __init__(self, app: FastAPI, bound: socket.socket, notify: Notify) -> None:
        """Make it ready to go."""
        config = uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,  # the log has its own lines of requests
            server_header=False,
            date_header=True,
            proxy_headers=False,  # clients could tell any address
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=LEAVE_S,
            h11_max_incomplete_event_size=LARGEST_HEAD,
        )
        super().__init__(config)
        self._core: Core = app.state.core
        self._bound, self._notify = bound, notify
        self._ending: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._reload_asked = asyncio.Event()
        self._reload: Future[None] | None = None

    def go(self) -> None:
        """Serve until a signal ends it."""
        self.run(sockets=[self._bound])
        if not self.started:
            message = "the application did not start"
            raise RuntimeError(message)

    @property
    def reloading(self) -> bool:
        """Another model is being loaded or tried."""
        return self._reload is not None and not self._reload.done()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals to `startup`: uvicorn's handlers know of no lame duck."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.should_exit:
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload_asked.set)
        for task in (self._reload_when_asked(), self._stay_alive()):
            self._tasks.add(loop.create_task(task))
        host, port = self._bound.getsockname()[:2]
        model = self._core.served.detector
        facts = {
            "host": host,
            "port": port,
            "pid": os.getpid(),
            "version": __version__,
            "model": model.card.name,
            "sha256": model.card.sha256,
            "provider": model.provider,
            "precision": model.precision,
        }
        LOG.info("ready", extra={"fields": facts})
        self._notify.ready()

    def _end(self, number: int) -> None:
        """The first signal begins the end, the second hastens it."""
        if self._ending is None:
            LOG.info("stopping", extra={"fields": {"signal": signal.Signals(number).name}})
            self._ending = asyncio.get_running_loop().create_task(self._end_in_steps())
            return
        LOG.warning("stopping_at_once", extra={"fields": {"signal": signal.Signals(number).name}})
        self._ending.cancel()
        self._core.stop()
        self.force_exit = self.should_exit = True
        hard = threading.Timer(AT_ONCE_S, os._exit, (0,))
        hard.daemon = True
        hard.start()

    async def _end_in_steps(self) -> None:
        """Ready no more; take no more; let end what runs; stop what is left."""
        core, life = self._core, self._core.life
        life.ready = False
        self._notify.stopping()
        await asyncio.sleep(core.settings.lame_duck_s)
        life.draining = True
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._answered(), core.settings.grace_s)
        if life.requests:
            LOG.warning("stopped_requests", extra={"fields": {"requests": life.requests}})
        core.stop()
        self.should_exit = True

    async def _answered(self) -> None:
        """Return when no request is being answered, event streams left out."""
        while self._core.life.requests:  # noqa: ASYNC110 - a count that the middleware keeps
            await asyncio.sleep(LOOK_S)

    async def _reload_when_asked(self) -> None:
        """Load the model again at each SIGHUP; several that come meanwhile are one."""
        while True:
            await self._reload_asked.wait()
            self._reload_asked.clear()
            self._notify.reloading()
            self._reload = aside("reload", lambda: reload(self._core.served))
            await asyncio.wrap_future(self._reload)
            self._notify.ready()

    async def _stay_alive(self) -> None:
        """Tell the watchdog, as long as the event loop answers."""
        while self._notify.watchdog_s:
            self._notify.alive()
            await asyncio.sleep(self._notify.watchdog_s / 2)
